"""The inventory against scenes of known parts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from rfcli.scene import EMISSION, TriangleScene, load, scene_inventory
from rfcli.scene.inventory import MAX_MATERIALS

EXAMPLE = Path(__file__).parents[2] / "examples" / "cornell-box.json"


def scene(triangles: int = 6) -> TriangleScene:
    """Right triangles with legs of 0.2 at heights 0, 0.01, ...; the last one is a light at (2, 0, 0)."""
    corner = np.array([[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0]])
    corners = np.repeat(corner[None], triangles, axis=0)
    corners[:, :, 2] += 0.4 * np.arange(triangles)[:, None] / triangles
    corners[-1] = corner - corner.mean(axis=0) + np.array([2, 0, 0])
    material = np.tile([0.6, 0.4, 0.2, 0.1, 0.2, 0.3, 0.7, 0.5, 0.5, 1, 0, 0, 0], (triangles, 1))
    material[: triangles // 2, 0] = 0.9
    material[-1, EMISSION] = (100, 200, 300)
    pose = np.eye(4)
    pose[:3, 3] = (0, 0, 2)
    normals = np.tile([0.0, 0, 1], (triangles, 3, 1))
    return TriangleScene(corners, normals, material, pose[None], np.array([40.0]))


def test_scene_without_objects_lists_materials_lights_and_cameras() -> None:
    found = scene_inventory(scene(), Path("s.h5"))
    assert not found.by_object
    assert [(part.name, part.triangles) for part in found.parts] == [("material 1", 3), ("material 2", 2)]
    first = found.parts[0]
    assert first.diffuse == pytest.approx((0.9, 0.4, 0.2))
    assert (first.specular, first.roughness, first.emission) == pytest.approx((0.2, 0.7, 0))
    assert first.size == pytest.approx((0.2, 0.2, 2 * 0.4 / 6))
    (light,) = found.lights
    assert (light.triangles, light.radiance, light.area, light.distance) == pytest.approx((1, 200, 0.02, 2))
    (camera,) = found.cameras
    assert camera.position == (0, 0, 2)
    assert camera.direction == (0, 0, -1)
    assert camera.fov == 40
    assert found.warnings == []


def test_scene_file_lists_its_objects() -> None:
    found = scene_inventory(load(EXAMPLE), EXAMPLE)
    objects = json.loads(EXAMPLE.read_text())["objects"]
    assert found.by_object
    for part, (name, described) in zip(found.parts, objects.items(), strict=True):
        assert part.name == name
        mesh = trimesh.load(EXAMPLE.parent / described["mesh_path"], process=False, force="mesh")
        assert part.triangles == len(mesh.faces)
        assert part.diffuse == pytest.approx(described["material"]["diffuse"], abs=0.01)
    assert sum(part.triangles for part in found.parts) == len(load(EXAMPLE))


def test_materials_beyond_the_first_are_summed_up() -> None:
    many = scene(40)
    material = many.material.copy()
    material[:30, 1] = np.linspace(0, 1, 30)
    found = scene_inventory(replace(many, material=material), Path("s.h5"))
    assert len(found.parts) == MAX_MATERIALS + 1
    assert found.parts[-1].name == "19 more"  # 30 changed and 1 for the 9 others, less 12
    assert sum(part.triangles for part in found.parts) == 39


def moved(index: int, offset: tuple[float, float, float]) -> TriangleScene:
    triangles = scene().triangles.copy()
    triangles[index] += np.array(offset, np.float32)
    return replace(scene(), triangles=triangles)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (moved(-1, (-2, 0, 0)), "Light triangles inside [-0.5, 0.5]^3: 1;"),
        (moved(0, (0.7, 0, 0)), "published walls reach: 1."),
        (moved(0, (0.6, 0, 0)), None),  # within the reach of published walls
        (scene(4097), "4,097 triangles: published models"),
        (replace(moved(-1, (-2, 0, 0)), material=np.zeros((6, 13), np.float32)), "Nothing emits"),
    ],
)
def test_training_range_warnings(changed: TriangleScene, words: str | None) -> None:
    found = scene_inventory(changed, Path("s.h5")).warnings
    assert len(found) == (0 if words is None else 1)
    assert words is None or words in found[0]


def test_scene_of_lights_has_no_parts() -> None:
    lit = replace(scene(), material=np.ones((6, 13), np.float32))
    assert scene_inventory(lit, Path("s.h5")).parts == []
