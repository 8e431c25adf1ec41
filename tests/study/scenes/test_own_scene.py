"""A scene file at every triangle count."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from rfcli.errors import InputError
from rfcli.scene import load, save
from rfcli.study.scenes import load_own_scene
from tests.scene.test_decimation import SCENE, light, scene_of

CORNELL_BOX = Path(__file__).parents[3] / "examples" / "cornell-box.json"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(SCENE, tmp_path / "ball.h5")
    return tmp_path / "ball.h5"


@pytest.mark.parametrize("count", [256, 1024, 1481, 1482, 4096])
def test_counts_are_exact_above_and_below_the_file_s_own(path: Path, count: int) -> None:
    own = load_own_scene(path)
    assert len(own.at(count)) == count
    assert own.at(count) is own.at(count)  # cached
    if count >= len(SCENE):
        assert own.reached([count]) == {count: count}


def test_reached_counts_of_a_scene_that_cannot_be_decimated(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(-0.4, 0.4, (300, 1, 3)) + rng.uniform(-0.05, 0.05, (300, 3, 3))
    normals = np.tile([0.0, 0.0, 1.0], (300, 3, 1))
    loose = scene_of([(corners, normals, np.tile(SCENE.material[0], (300, 1))), light()])
    save(loose, tmp_path / "loose.h5")
    assert load_own_scene(tmp_path / "loose.h5").reached([128, 256, 512]) == {128: 301, 256: 301, 512: 512}


def test_example_has_one_camera_and_facts_that_follow_its_content(tmp_path: Path) -> None:
    own = load_own_scene(CORNELL_BOX)
    assert own.name == "cornell-box.json"
    assert len(own.scene.c2w) == len(own.scene.fov) == 1
    facts = own.facts()
    assert facts["file"] == "cornell-box.json"
    assert facts["triangles"] == len(load(CORNELL_BOX))
    assert load_own_scene(CORNELL_BOX).facts() == facts
    save(own.at(len(own.scene) + 1), tmp_path / "cornell-box.h5")
    assert load_own_scene(tmp_path / "cornell-box.h5").facts()["sha256"] != facts["sha256"]


def test_mesh_is_placed_on_the_backdrop(tmp_path: Path) -> None:
    trimesh.creation.icosphere(4).export(tmp_path / "ball.ply")
    own = load_own_scene(tmp_path / "ball.ply")
    assert len(own.scene) > 5120
    assert own.scene.emitters.any()
    assert len(own.at(2048)) == 2048


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json"):
        load_own_scene(tmp_path / "absent.json")
    save(scene_of([light()]), tmp_path / "light.h5")
    with pytest.raises(InputError, match=r"`scene` light\.h5.*emitters only"):
        load_own_scene(tmp_path / "light.h5").at(64)
