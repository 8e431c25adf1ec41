import numpy as np
import pytest

from rfcli.scene import EMISSION
from rfcli.synth.lights import TRIANGLE, random_lights


def test_light_triangles_match_the_published_ones() -> None:
    rng = np.random.default_rng(0)
    counts = set()
    for _ in range(100):
        lights = random_lights(rng, "box")
        counts.add(len(lights))
        radiance = [light.material[0, EMISSION].mean() for light in lights]
        assert 2500 <= sum(radiance) <= 5000
        for light in lights:
            centre = light.triangles.mean(axis=(0, 1))
            assert 2.0 < np.linalg.norm(centre) < 2.8
            assert centre[2] > 0.3
            sides = np.linalg.norm(np.roll(light.triangles[0], 1, axis=0) - light.triangles[0], axis=1)
            plain = np.linalg.norm(TRIANGLE[0] - TRIANGLE[1])
            assert (sides > 1.99 * plain).all()
            assert (sides < 2.51 * plain).all()
            to_scene = -centre / np.linalg.norm(centre)
            assert abs(light.vn[0, 0] @ to_scene) > 0.5
    assert counts == set(range(1, 9))


def test_a_room_has_a_panel_below_its_ceiling_that_faces_down() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        (panel,) = random_lights(rng, "room")
        assert len(panel.triangles) in (2, 4)
        assert panel.vn[..., 2] == pytest.approx(-1.0)
        low, high = panel.triangles.reshape(-1, 3).min(0), panel.triangles.reshape(-1, 3).max(0)
        assert ((high - low)[:2] > 0.19).all()
        assert ((high - low)[:2] < 0.46).all()
        assert low[2] > 0.46
        assert high[2] < 0.5
        assert np.abs(panel.triangles[..., :2]).max() < 0.5
