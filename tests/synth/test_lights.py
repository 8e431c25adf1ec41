import numpy as np
import pytest

from rfcli.scene import EMISSION
from rfcli.synth.lights import (
    MAX_NEAR_LIGHTS,
    MIN_HEIGHT,
    TRIANGLE,
    ceiling_panel,
    near_lights,
    published_lights,
    random_lights,
    room_lamps,
)


def test_light_triangles_match_the_published_ones() -> None:
    rng = np.random.default_rng(0)
    counts = set()
    for _ in range(100):
        lights = published_lights(rng)
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
        panel = ceiling_panel(rng)
        assert len(panel.triangles) in (2, 4)
        assert panel.vn[..., 2] == pytest.approx(-1.0)
        low, high = panel.triangles.reshape(-1, 3).min(0), panel.triangles.reshape(-1, 3).max(0)
        assert ((high - low)[:2] > 0.19).all()
        assert ((high - low)[:2] < 0.46).all()
        assert low[2] > 0.46
        assert high[2] < 0.5
        assert np.abs(panel.triangles[..., :2]).max() < 0.5


def test_near_lights_are_few_of_all_sizes_and_face_the_scene() -> None:
    rng = np.random.default_rng(0)
    counts, sizes, heights = set(), [], []
    for _ in range(200):
        lights = near_lights(rng)
        counts.add(len(lights))
        for light in lights:
            centre = light.triangles.mean(axis=(0, 1))
            assert 0.7 < np.linalg.norm(centre) < 2.4
            assert centre[2] >= MIN_HEIGHT - 1e-6
            assert abs(light.vn[0, 0] @ centre) > 0.4 * np.linalg.norm(centre)
            assert len(light.triangles) in (1, 2)
            sizes.append(np.ptp(light.triangles.reshape(-1, 3), axis=0).max())
            heights.append(centre[2] / np.linalg.norm(centre))
    assert counts == set(range(1, MAX_NEAR_LIGHTS + 1))
    assert min(sizes) < 0.06
    assert max(sizes) > 0.4
    assert np.mean(np.array(heights) < 0.2) > 0.1  # grazing


def test_room_lamps_are_inside_the_room() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        for lamp in room_lamps(rng):
            assert np.abs(lamp.triangles).max() < 0.56
            assert lamp.triangles.mean(axis=(0, 1))[2] >= -0.05


def test_a_third_of_all_scenes_or_more_has_one_to_three_lights() -> None:
    rng = np.random.default_rng(0)
    counts = np.array([len(random_lights(rng, "box")) for _ in range(1000)])
    assert 0.6 < (counts <= 3).mean() < 0.8
    assert (counts > 3).mean() > 0.2
    panels = np.array([len(random_lights(rng, "room")[0].triangles) in (2, 4) for _ in range(200)])
    assert panels.mean() > 0.5
