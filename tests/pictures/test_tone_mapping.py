"""Tone mappings against values computed by hand, published approximations and properties stated by their authors."""

import sys

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.pictures.tone_mapping import TONE_MAPPINGS, aces, agx, clip, filmic, pbr_neutral, srgb_encode


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        # darkest 0.04 < 0.08: the offset is 0.04 - 0.04^2 / 0.16 = 0.03
        ((0.04, 0.34, 0.54), (0.01, 0.31, 0.51)),
        # darkest >= 0.08: the offset is 0.04; the peak 0.46 stays below 0.76
        ((0.1, 0.2, 0.5), (0.06, 0.16, 0.46)),
        # grey 1.04: peak 1.00; 1 - 0.24^2 / (1 + 0.24 - 0.76) = 0.88; grey fades to itself
        ((1.04, 1.04, 1.04), (0.88, 0.88, 0.88)),
        # (2.04, 0.04 + 0.5, 0.54): peak 2, new peak 1 - 0.0576 / 1.48 = 0.961081..., scaled by its half,
        # then mixed towards it by 1 - 1 / (0.15 * 1.038918... + 1) = 0.134826...
        ((2.04, 0.54, 0.54), (0.9610811, 0.3374548, 0.3374548)),
    ],
)
def test_pbr_neutral_by_hand(color: tuple[float, ...], expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(pbr_neutral(np.array(color)), srgb_encode(np.array(expected)), atol=2e-7)


def test_pbr_neutral_is_continuous_and_rises_to_one() -> None:
    grey = pbr_neutral(np.repeat(np.linspace(0, 100, 100_001)[:, None], 3, axis=1))[:, 0]
    steps = np.diff(grey)
    assert (steps > 0).all()
    assert steps.max() < 12.92 * 1.01e-3  # sRGB's steepest slope times the curve's, at most 1
    assert 0.999 < grey[-1] < 1


@pytest.mark.parametrize(("linear", "expected"), [(0, 0), (0.0031308, 0.04045), (0.2140411, 0.5), (1, 1), (7, 1)])
def test_srgb_at_known_points(linear: float, expected: float) -> None:
    assert srgb_encode(np.array(linear)) == pytest.approx(expected, abs=1e-5)


def ramp(top: float = 60.0) -> np.ndarray:
    """Greys [N, 3] from black up."""
    return np.repeat(np.linspace(0, top, 2001)[:, None], 3, axis=1)


@pytest.mark.parametrize("name", TONE_MAPPINGS)
def test_greys_stay_grey_and_increase(name: str) -> None:
    if name == "aces":
        pytest.importorskip("PyOpenColorIO")
    shown = TONE_MAPPINGS[name](ramp())
    assert np.ptp(shown, axis=1).max() < 2e-3
    assert (np.diff(shown[:, 1]) > -1e-6).all()
    assert 0 <= shown.min() < 0.01
    assert 0.9 < shown[-1, 1] <= 1
    colors = np.random.default_rng(0).exponential(3.0, (4, 5, 3))
    before = colors.copy()
    assert TONE_MAPPINGS[name](colors).shape == (4, 5, 3)
    np.testing.assert_array_equal(colors, before)


def test_none_encodes_and_clips() -> None:
    np.testing.assert_allclose(clip(np.array([0.2140411, 1.0, 9.0])), [0.5, 1, 1], atol=1e-6)


def test_agx_is_near_its_published_polynomial() -> None:
    """The polynomial fit of the same curve by B. Wrensch, whose mean squared error is given as 3.7e-6."""
    x = np.linspace(0, 1, 500)
    fit = np.polyval([15.5, -40.14, 31.96, -6.868, 0.4298, 0.1191, -0.00232], x)
    grey = agx(np.repeat((0.18 * 2 ** (16.5 * x - 10))[:, None], 3, axis=1))[:, 0]
    assert np.mean((grey - np.clip(fit, 0, 1)) ** 2) < 1e-5


def test_agx_maps_middle_grey_to_a_half_and_bright_colours_to_white() -> None:
    np.testing.assert_allclose(agx(np.full(3, 0.18)), 0.5, atol=1e-3)
    np.testing.assert_allclose(agx(np.full(3, 0.18 * 2**6.5)), 1, atol=1e-3)
    saturations = [np.ptp(agx(np.array([1.0, 0.0, 0.0]) * 2.0**stops)) for stops in (0, 3, 6)]
    assert saturations == sorted(saturations, reverse=True)


def test_filmic_by_hand() -> None:
    # f(0.36) = (0.36 x 0.104 + 0.004) / (0.36 x 0.554 + 0.06) - 1/15 = 0.093062, f(11.2) = 0.725129: 0.128339 of white
    np.testing.assert_allclose(filmic(np.full(3, 0.18)), srgb_encode(np.full(3, 0.128339)), atol=1e-5)
    np.testing.assert_allclose(filmic(np.array([0.0, 5.6, 9.0])), [0, 1, 1], atol=1e-12)


def test_aces_maps_middle_grey_to_ten_of_a_hundred_nits() -> None:
    pytest.importorskip("PyOpenColorIO")
    np.testing.assert_allclose(aces(np.full((1, 1, 3), 0.18)), srgb_encode(np.array(0.10)), atol=2e-3)


def test_missing_opencolorio_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from rfcli.pictures.tone_mapping import _aces_processor

    _aces_processor.cache_clear()
    monkeypatch.setitem(sys.modules, "PyOpenColorIO", None)
    with pytest.raises(InputError, match=r"rfcli\[aces\]"):
        aces(np.zeros((1, 1, 3)))
