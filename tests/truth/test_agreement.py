"""The path tracer against a second, independent renderer."""

import numpy as np
import pytest

from rfcli.scene import TriangleScene
from rfcli.truth import PathTracer
from tests.support import light_transport_reference as brute_force
from tests.support.surfaces import camera, material, quad, scene


def corner() -> TriangleScene:
    """A glossy floor, a red and a white wall, a leaning mirror-like board, under a large light; open to black."""
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


def test_a_plain_integrator_sees_the_same() -> None:
    """The mean within 1 %, and pixels as far from the slow ones as the slow ones' own errors say."""
    expected, error = brute_force.render(corner(), 8, paths=2000, bounces=10, rng=np.random.default_rng(2))
    image = PathTracer(4096, denoise=False).render(corner(), 8)[0]
    assert image.mean(axis=(0, 1)) == pytest.approx(expected.mean(axis=(0, 1)), rel=0.01)
    off = np.abs(image - expected) / (error + 0.002 * expected + 1e-3)
    assert np.median(off) < 1
    assert np.quantile(off, 0.98) < 3.5


def test_the_plain_integrator_knows_the_furnace() -> None:
    """In a closed box of which all emits 1, everything reflects what its albedo says (so the judge is judged too)."""
    sides = [
        quad(tuple(3 * n), tuple(3 * np.roll(n, 1)), tuple(3 * np.roll(n, 2)), material(2, emission=(1.0,) * 3))
        for n in (*np.eye(3), *-np.eye(3))
    ]
    albedo = (0.6, 0.3, 0.1)
    board = quad((0, 0, 0), (0.5, 0, 0), (0, 0, 0.5), material(2, albedo))
    image, _ = brute_force.render(
        scene([board, *sides], [camera((0, -1, 0), (0, 0, 0))], 20.0), 4, 50, 1, np.random.default_rng(1)
    )
    assert image == pytest.approx(np.tile(albedo, (4, 4, 1)), rel=1e-3)  # no chance is left: cosine-weighted
