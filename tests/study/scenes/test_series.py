"""A scene file at every count.

Random scenes at exact counts, with truths that are theirs.
"""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from rfcli.errors import InputError
from rfcli.scene import load, save
from rfcli.study.scenes.series import own_scene, own_series, synthetic_series
from rfcli.truth import PathTracer
from tests.study.scenes.test_decimation import SCENE, light, made_of

CORNELL = Path(__file__).parents[3] / "examples" / "cornell-box.json"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(SCENE, tmp_path / "ball.h5")
    return tmp_path / "ball.h5"


@pytest.mark.parametrize("count", [256, 1024, 1481, 1482, 4096])
def test_counts_are_exact_on_both_sides_of_the_files_own(path: Path, count: int) -> None:
    assert len(own_scene(path).at(count)) == count
    own = own_scene(path)
    assert own.at(count) is own.at(count)  # made once
    if count >= len(SCENE):
        assert own.reached([count]) == {count: count}


def test_what_was_reached_is_said_where_parts_are_too_many(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(-0.4, 0.4, (300, 1, 3)) + rng.uniform(-0.05, 0.05, (300, 3, 3))
    normals = np.tile([0.0, 0.0, 1.0], (300, 3, 1))
    heap = made_of([(corners, normals, np.tile(SCENE.material[0], (300, 1))), light()])
    save(heap, tmp_path / "heap.h5")
    assert own_scene(tmp_path / "heap.h5").reached([128, 256, 512]) == {128: 301, 256: 301, 512: 512}


def test_an_example_has_one_camera_and_facts_that_follow_its_content(tmp_path: Path) -> None:
    own = own_scene(CORNELL)
    assert own.name == "cornell-box.json"
    assert len(own.scene.c2w) == len(own.scene.fov) == 1
    facts = own.facts()
    assert facts["file"] == "cornell-box.json"
    assert facts["triangles"] == len(load(CORNELL))
    assert own_scene(CORNELL).facts() == facts
    save(own.at(len(own.scene) + 1), tmp_path / "cornell-box.h5")
    assert own_scene(tmp_path / "cornell-box.h5").facts()["sha256"] != facts["sha256"]


def test_a_mesh_is_put_on_the_stage(tmp_path: Path) -> None:
    trimesh.creation.icosphere(4).export(tmp_path / "ball.ply")
    own = own_scene(tmp_path / "ball.ply")
    assert len(own.scene) > 5120
    assert own.scene.emitters.any()
    assert len(own.at(2048)) == 2048


def test_mistakes_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json"):
        own_scene(tmp_path / "absent.json")
    save(made_of([light()]), tmp_path / "light.h5")
    with pytest.raises(InputError, match=r"--scene light\.h5.*emitters only"):
        own_scene(tmp_path / "light.h5").at(64)


def test_the_truth_of_a_subdivided_scene_is_traced_once_and_of_a_decimated_one_anew(path: Path) -> None:
    (series,) = own_series(own_scene(path), resolution=16, samples=8)
    assert series.name == "ball"
    same, finer, coarse = (series.scene_at(count) for count in (1482, 3000, 400))
    assert [len(scene) for scene, _ in (same, finer, coarse)] == [1482, 3000, 400]
    assert finer[1] is same[1]
    assert coarse[1] is not same[1]
    assert coarse[1].shape == (16, 16, 3)


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
