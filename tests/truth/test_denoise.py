"""Denoising keeps the brightness and removes the noise."""

import numpy as np
import pytest

from rfcli.truth.denoise import denoised


@pytest.mark.parametrize("level", [0.1, 1.0, 30.0])
def test_brightness_is_unchanged(level: float) -> None:
    color = level * np.array([1.0, 3.0, 2.0], np.float32)
    clean = denoised(np.full((64, 64, 3), color, np.float32), threads=1)
    assert clean.mean(axis=(0, 1)) == pytest.approx(color, rel=0.01)


def test_noise_is_removed_without_negative_values() -> None:
    rng = np.random.default_rng(0)
    truth = np.full((64, 64, 3), 0.5, np.float32)
    noisy = (truth * rng.gamma(1.0, 1.0, truth.shape)).astype(np.float32)
    before = noisy.copy()
    clean = denoised(noisy, threads=0)
    assert np.square(clean - truth).mean() < 0.05 * np.square(noisy - truth).mean()
    assert clean.min() >= 0
    assert (noisy == before).all()
