"""Random scenes at exact counts, with truths that are theirs."""

import numpy as np

from rfcli.study.scenes.series import synthetic_series
from rfcli.truth import PathTracer


def test_counts_are_exact_and_tessellation_changes_neither_scene_nor_truth() -> None:
    tessellated, detailed, *others = synthetic_series([256, 512], seed=0, resolution=16, samples=4)
    assert (tessellated.name, detailed.name) == ("tessellated", "detailed")
    assert [(one.name, one.number) for one in others[:2]] == [("tessellated", 1), ("detailed", 1)]
    assert not np.array_equal(others[0].scene_at(256)[0].c2w, tessellated.scene_at(256)[0].c2w)
    (coarse, truth), (fine, same) = (tessellated.scene_at(count) for count in (256, 512))
    assert (len(coarse), len(fine)) == (256, 512)
    assert same is truth
    assert np.array_equal(coarse.c2w, fine.c2w)
    # traced anew, the finer scene gives the same picture up to the noise of its paths
    before, after = (np.log1p(PathTracer(256).render(scene, 16)[0]) for scene in (coarse, fine))
    assert np.abs(after - before).mean() < 0.15 * before.mean()
    shaped, _ = detailed.scene_at(512)
    assert len(shaped) == 512
    assert len(shaped.c2w) == 1
    again = synthetic_series([256, 512], seed=0, resolution=16, samples=4)[1].scene_at(512)[0]
    assert np.array_equal(shaped.triangles, again.triangles)
