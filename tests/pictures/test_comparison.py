"""What a comparison shows and how images are shown in it."""

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.pictures.comparison import compare
from rfcli.pictures.images import to_display
from rfcli.pictures.labels import GAP, STRIP
from rfcli.pictures.look import Look


def picture(size: int = 320) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 2, size), np.linspace(0, 1, size))
    return np.stack([x, y, x * y], -1).astype(np.float32)


def test_reference_prediction_and_error_stand_in_this_order() -> None:
    reference = picture()
    prediction = reference.copy()
    prediction[:, 160:] *= 4
    look = Look(exposure=-1, tone_mapping="agx")
    scores, row = compare(prediction, reference, ("mine", "theirs"), look)
    left, middle, right = (row[STRIP : STRIP + 320, GAP + n * (320 + GAP) :][:, :320].astype(float) for n in range(3))
    np.testing.assert_array_equal(left, to_display(reference, -1, "agx"))
    np.testing.assert_array_equal(middle, to_display(prediction, -1, "agx"))
    assert right[:, 200:].mean() > 10 * right[:, :120].mean()
    assert 5 < scores.psnr < 40


def test_alpha_is_neither_shown_nor_compared() -> None:
    image = picture(16)
    alpha = np.concatenate([image, np.full((16, 16, 1), 0.5, np.float32)], -1)
    np.testing.assert_array_equal(Look().develop(alpha), to_display(image))
    scores, _ = compare(alpha, image, ("a", "b"), Look())
    assert scores.psnr == pytest.approx(100)


def test_a_look_that_cannot_be_is_a_mistake_at_once() -> None:
    for exposure in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="--exposure"):
            Look(exposure)
    with pytest.raises(InputError, match="'sepia'"):
        Look(0, "sepia")
