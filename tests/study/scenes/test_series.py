"""Scenes at exact triangle counts, with their path-traced images."""

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.study.scenes import OwnScene, own_series, synthetic_series
from rfcli.truth import PathTracer
from tests.scene.test_decimation import SCENE


def test_tessellated_scenes_share_one_traced_image_and_decimated_ones_do_not() -> None:
    (series,) = own_series(OwnScene("ball.h5", SCENE), resolution=16, samples=8)
    assert series.name == "ball"
    same, finer, coarse = (series.scene_at(count) for count in (1482, 3000, 400))
    assert [len(scene) for scene, _ in (same, finer, coarse)] == [1482, 3000, 400]
    assert finer[1] is same[1]
    assert coarse[1] is not same[1]
    assert coarse[1].shape == (16, 16, 3)


def test_synthetic_counts_are_exact_and_tessellation_changes_neither_scene_nor_image() -> None:
    tessellated, detailed, *others = synthetic_series([256, 512], seed=0, resolution=16, samples=4)
    assert (tessellated.name, detailed.name) == ("tessellated", "detailed")
    assert [(one.name, one.number) for one in others[:2]] == [("tessellated", 1), ("detailed", 1)]
    assert not np.array_equal(others[0].scene_at(256)[0].c2w, tessellated.scene_at(256)[0].c2w)
    (coarse, image), (fine, fine_image) = (tessellated.scene_at(count) for count in (256, 512))
    assert (len(coarse), len(fine)) == (256, 512)
    assert fine_image is image
    assert np.array_equal(coarse.c2w, fine.c2w)
    # traced again, the finer scene gives the same image up to the noise of its paths
    before, after = (np.log1p(PathTracer(256).render(scene, 16)[0]) for scene in (coarse, fine))
    assert np.abs(after - before).mean() < 0.15 * before.mean()
    shaped, _ = detailed.scene_at(512)
    assert len(shaped) == 512
    assert len(shaped.c2w) == 1
    again = synthetic_series([256, 512], seed=0, resolution=16, samples=4)[1].scene_at(512)[0]
    assert np.array_equal(shaped.triangles, again.triangles)


def test_counts_too_small_for_random_scenes_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="`triangles`: pictures of random scenes need 128 or more, not 64"):
        synthetic_series([64, 256], seed=0, resolution=16, samples=4)
