"""Default resolution of a network; pixels of the path tracer that are not finite."""

import warnings

import numpy as np
import pytest

from rfcli.errors import InputWarning
from rfcli.pictures.renderers import DEFAULT_RESOLUTION, NetworkRenderer, without_broken_pixels
from tests.support.model_scenes import small_model


@pytest.mark.parametrize(
    ("visibility", "trained_at", "expected"),
    [("attention", 64, 64), ("attention", None, DEFAULT_RESOLUTION), ("first-hit", 64, DEFAULT_RESOLUTION)],
)
def test_default_resolution(visibility: str, trained_at: int | None, expected: int) -> None:
    model = small_model(visibility=visibility, training_resolution=trained_at)
    assert NetworkRenderer("small", model).default_resolution == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_black_and_told(value: float) -> None:
    image = np.ones((4, 5, 3), np.float32)
    image[1, 2, 0] = image[3, 4] = value
    with pytest.warns(InputWarning, match="2 of 20 pixels of the path-traced image are not finite and stay black"):
        shown = without_broken_pixels(image)
    black = (shown == 0).all(axis=-1)
    assert np.argwhere(black).tolist() == [[1, 2], [3, 4]]
    assert (shown[~black] == 1).all()


def test_finite_images_are_unchanged() -> None:
    image = np.ones((4, 4, 3), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert without_broken_pixels(image) is image
