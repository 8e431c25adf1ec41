"""Default resolution of a network."""

import pytest

from rfcli.pictures.renderers import DEFAULT_RESOLUTION, NetworkRenderer
from tests.support.model_scenes import small_model


@pytest.mark.parametrize(
    ("visibility", "trained_at", "expected"),
    [("attention", 64, 64), ("attention", None, DEFAULT_RESOLUTION), ("first-hit", 64, DEFAULT_RESOLUTION)],
)
def test_default_resolution(visibility: str, trained_at: int | None, expected: int) -> None:
    model = small_model(visibility=visibility, training_resolution=trained_at)
    assert NetworkRenderer("small", model).default_resolution == expected
