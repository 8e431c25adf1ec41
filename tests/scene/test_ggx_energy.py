"""The table of lost energy against an integral over the microfacet distribution."""

import numpy as np
import pytest

from rfcli.scene.ggx_energy import AVERAGE_ALBEDO, lost_to_multiple_scattering


def average_albedo(alpha: float, steps: int = 160) -> float:
    """2 times the integral of f cos cos' over both hemispheres, with explicit GGX D and separable Smith G."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    azimuth, half_azimuth = np.pi * (nodes + 1) / 2, np.pi * weights  # 0..pi, doubled by symmetry
    total = 0.0
    for out, weight in zip(*np.polynomial.legendre.leggauss(24), strict=True):
        mu = (out + 1) / 2
        view = np.array([np.sqrt(1 - mu**2), 0.0, mu])
        # integrate over half vectors, whose density is smooth for narrow lobes too: tan = alpha s / sqrt(1 - s^2)
        s = (nodes + 1) / 2
        tangent = alpha * s / np.sqrt(1 - s**2)
        cos_h = 1 / np.sqrt(1 + tangent**2)
        sin_h = tangent * cos_h
        h = np.stack(
            [
                np.outer(sin_h, np.cos(azimuth)),
                np.outer(sin_h, np.sin(azimuth)),
                np.outer(cos_h, np.ones_like(azimuth)),
            ],
            -1,
        )
        dot = h @ view
        light = 2 * dot[..., None] * h - view
        cos_l = light[..., 2]
        seen = (dot > 0) & (cos_l > 0)
        g = smith(mu, alpha) * smith(np.maximum(cos_l, 1e-9), alpha)
        # D cos_h dh = 2 s ds dphi / (2 pi); f cos_l dl = D G / (4 mu cos_l) cos_l 4 dot dh
        integrand = np.where(seen, g * dot / (mu * cos_h[:, None]), 0.0) / np.pi
        inner = (integrand * half_azimuth).sum(axis=1)
        total += weight / 2 * 2 * mu * float((inner * s * weights / 2).sum())
    return total


def smith(cosine: "np.ndarray | float", alpha: float) -> "np.ndarray":
    """Smith's masking for GGX."""
    return 2 / (1 + np.sqrt(1 + alpha**2 * (1 / np.square(cosine) - 1)))


@pytest.mark.parametrize("step", [2, 6, 11, 16])
def test_table_matches_the_integral(step: int) -> None:
    assert AVERAGE_ALBEDO[step] == pytest.approx(average_albedo(step / 16), abs=0.003)


def test_loss_is_0_for_a_mirror_and_grows_with_roughness() -> None:
    lost = lost_to_multiple_scattering(np.linspace(0, 1, 50, dtype=np.float32))
    assert lost[0] == 0
    assert (np.diff(lost) > 0).all()
