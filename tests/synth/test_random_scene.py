"""Random scenes: within their ranges, and a function of seed, index and options."""

import os
import subprocess
import sys

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.synth import SceneOptions, random_scene
from rfcli.synth.random_scene import random_triangle_count

OPTIONS = SceneOptions((256, 1024), 3)


@pytest.fixture(scope="module")
def scenes() -> list[TriangleScene]:
    return [random_scene(5, index, OPTIONS) for index in range(30)]


def test_scenes_are_a_function_of_seed_and_index(scenes: list[TriangleScene]) -> None:
    again = random_scene(5, 7, OPTIONS)
    for name in ("triangles", "vn", "material", "c2w", "fov"):
        assert (getattr(again, name) == getattr(scenes[7], name)).all()
    assert len({scene.triangles.tobytes() for scene in [*scenes, random_scene(6, 7, OPTIONS)]}) == 31


SUM = """
import hashlib
from rfcli.synth import SceneOptions, random_scene
scene = random_scene(5, 7, SceneOptions((256, 400), 2))
arrays = (scene.triangles, scene.vn, scene.material, scene.c2w)
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


def test_scenes_do_not_depend_on_the_hash_seed_of_python() -> None:
    """`hash()` of a string differs from run to run, so scenes must not use it."""
    sums = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run([sys.executable, "-c", SUM], env=environment, capture_output=True, text=True, check=True)
        sums.add(run.stdout)
    assert len(sums) == 1


def test_triangle_counts_spread_over_the_range(scenes: list[TriangleScene]) -> None:
    counts = np.array([len(scene) for scene in scenes])
    assert counts.min() >= 256
    assert counts.max() <= 1024
    assert (counts < 512).any()
    assert (counts > 700).any()


@pytest.mark.parametrize("limits", [(256, 1536), (256, 65536), (300, 300)])
def test_curriculum_counts_match_the_closed_form(limits: tuple[int, int]) -> None:
    """P(N < x) = (1 / low - 1 / x) / (1 / low - 1 / (high + 1))."""
    (low, high), rng = limits, np.random.default_rng(0)
    options = SceneOptions(limits, curriculum=True)
    counts = np.sort([random_triangle_count(rng, options) for _ in range(40_000)])
    assert low <= counts[0]
    assert counts[-1] <= high
    steps = np.unique(np.geomspace(low, high + 1, 40).astype(int))
    expected = (1 / low - 1 / steps) / (1 / low - 1 / (high + 1))
    assert np.searchsorted(counts, steps) / len(counts) == pytest.approx(expected, abs=0.01)


def test_without_curriculum_every_doubling_is_equally_frequent() -> None:
    rng = np.random.default_rng(0)
    counts = [random_triangle_count(rng, SceneOptions((256, 4095))) for _ in range(20_000)]
    shares = np.histogram(counts, [256, 512, 1024, 2048, 4096])[0] / len(counts)
    assert shares == pytest.approx([0.25] * 4, abs=0.015)


def test_curriculum_scenes_stay_in_range() -> None:
    options = SceneOptions((256, 2048), 1, curriculum=True)
    counts = [len(random_scene(1, index, options)) for index in range(24)]
    assert min(counts) >= 256
    assert max(counts) <= 2048
    assert np.median(counts) < 512  # log-uniform: 724


def test_scenes_lie_above_the_floor_and_near_the_origin(scenes: list[TriangleScene]) -> None:
    for scene in scenes:
        solid = scene.triangles[~scene.emitters]
        assert solid[..., 2].min() > -0.501
        assert np.abs(solid).max() < 1.0
        assert scene.emitters.any()
        assert np.linalg.norm(scene.vn, axis=-1) == pytest.approx(1.0, abs=1e-4)
        assert (scene.material >= 0).all()


def test_cameras_match_the_published_distribution(scenes: list[TriangleScene]) -> None:
    for scene in scenes:
        eyes = scene.c2w[:, :3, 3]
        assert scene.c2w.shape == (3, 4, 4)
        assert (np.linalg.norm(eyes, axis=1) < 2.05).all()
        assert (np.linalg.norm(eyes, axis=1) > 1.4).all()
        assert (eyes[:, 2] > -0.5).all()
        assert ((scene.fov >= 30) & (scene.fov <= 60)).all()


@pytest.mark.parametrize("triangles", [(1000, 300), (4, 300), (0, 0)])
def test_an_impossible_range_is_refused(triangles: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="`triangles`"):
        SceneOptions(triangles)


def test_zero_views_are_refused() -> None:
    with pytest.raises(InputError, match="`views`"):
        SceneOptions((256, 1024), 0)


def test_small_and_large_ranges_work() -> None:
    assert 128 <= len(random_scene(0, 0, SceneOptions((128, 160), 1))) <= 160
    assert 6000 <= len(random_scene(0, 0, SceneOptions((6000, 8000), 1))) <= 8000
