"""Comparison of two studies with a known difference."""

import dataclasses

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.study.results import Measurement, Results, differences

SETUP = {"model": "base", "layers": 1, "model_layers": 12}


def study(
    factor: float, seed: int, runs: int = 9, noise: float = 0.02, counts: tuple[int, ...] = (1024, 2048)
) -> Results:
    rng = np.random.default_rng(seed)
    points = [
        Measurement(name, n, tuple(factor * n * 1e-3 * rng.normal(1, noise, runs)), None)
        for name in ("sdpa", "performer")
        for n in counts
    ]
    return Results(SETUP, [], [], {}, {}, [], points, [], {})


def test_factor_of_two_is_outside_noise() -> None:
    found = differences(study(1.0, 0), study(2.0, 1))
    assert [(one.attention, one.triangles) for one in found] == [
        ("sdpa", 1024),
        ("sdpa", 2048),
        ("performer", 1024),
        ("performer", 2048),
    ]
    for one in found:
        assert one.outside_noise
        assert one.low < one.ratio < one.high
        assert one.ratio == pytest.approx(2.0, rel=0.05)
        assert one.ratio == pytest.approx(one.second / one.first)


def test_equal_studies_are_rarely_outside_noise() -> None:
    found = [one for seed in range(40) for one in differences(study(1.0, 2 * seed), study(1.0, 2 * seed + 1))]
    assert np.mean([one.outside_noise for one in found]) < 0.12


def test_small_difference_is_found_in_small_noise_only() -> None:
    def share_outside(noise: float) -> float:
        pairs = [(study(1.0, 2 * seed, noise=noise), study(1.05, 2 * seed + 1, noise=noise)) for seed in range(20)]
        return float(np.mean([one.outside_noise for pair in pairs for one in differences(*pair)]))

    assert share_outside(0.2) < 0.25
    assert share_outside(0.002) == 1.0


def test_points_measured_in_both_studies_are_compared() -> None:
    found = differences(study(1.0, 0), study(1.0, 1, counts=(2048, 4096)))
    assert {one.triangles for one in found} == {2048}
    with pytest.raises(InputError, match="no measured point in common"):
        differences(study(1.0, 0), study(1.0, 1, counts=(4096,)))
    other = dataclasses.replace(study(1.0, 1), setup={**SETUP, "model": "tiny"})
    with pytest.raises(InputError, match="model base, the other tiny"):
        differences(study(1.0, 0), other)
