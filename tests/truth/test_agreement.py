"""The path tracer against an independent reference integrator."""

import numpy as np
import pytest

from rfcli.scene import TriangleScene
from rfcli.truth import PathTracer
from tests.support.light_transport_reference import render as render_reference
from tests.support.surfaces import camera, material, quad, scene


def corner() -> TriangleScene:
    """A glossy floor, a red and a white wall and a leaning glossy board under a large light, in black surroundings."""
    return scene(
        [
            quad((0, 0, -0.5), (0.5, 0, 0), (0, 0.5, 0), material(2, (0.3, 0.3, 0.35), 0.5, 0.6)),
            quad((0, 0.5, 0), (0.5, 0, 0), (0, 0, 0.5), material(2, (0.8, 0.75, 0.7))),
            quad((-0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5), material(2, (0.85, 0.1, 0.05), 0.1, 0.9)),
            quad((0.15, 0.0, -0.2), (0.12, 0.1, 0), (0.05, -0.1, 0.25), material(2, (0.1, 0.2, 0.4), 0.5, 0.5)),
            quad((0, 0, 0.6), (0.6, 0, 0), (0, -0.6, 0), material(2, emission=(2.0, 1.8, 1.5))),
        ],
        [camera((0.9, -1.3, 0.4), (0, 0, -0.1))],
        42.0,
    )


@pytest.mark.slow
def test_path_tracer_matches_the_reference() -> None:
    """The mean within 1 %, and pixels within the standard errors of the reference."""
    expected, error = render_reference(corner(), 8, paths=2000, bounces=10, rng=np.random.default_rng(2))
    image = PathTracer(4096, denoise=False).render(corner(), 8)[0]
    assert image.mean(axis=(0, 1)) == pytest.approx(expected.mean(axis=(0, 1)), rel=0.01)
    deviation = np.abs(image - expected) / (error + 0.002 * expected + 1e-3)
    assert np.median(deviation) < 1
    assert np.quantile(deviation, 0.98) < 3.5


def test_reference_reflects_the_albedo_in_a_furnace() -> None:
    """In a closed box that emits 1 everywhere, the radiance of a surface is its albedo."""
    sides = [
        quad(tuple(3 * n), tuple(3 * np.roll(n, 1)), tuple(3 * np.roll(n, 2)), material(2, emission=(1.0,) * 3))
        for n in (*np.eye(3), *-np.eye(3))
    ]
    albedo = (0.6, 0.3, 0.1)
    board = quad((0, 0, 0), (0.5, 0, 0), (0, 0, 0.5), material(2, albedo))
    image, _ = render_reference(
        scene([board, *sides], [camera((0, -1, 0), (0, 0, 0))], 20.0), 4, 50, 1, np.random.default_rng(1)
    )
    assert image == pytest.approx(np.tile(albedo, (4, 4, 1)), rel=1e-3)  # no variance: directions are cosine-weighted
