"""Changes of scenes: what they change, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

import rfcli
from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR, TriangleScene
from rfcli.viewer.edits import EditableScene, Material, SceneEdits, one_light
from tests.support.viewer_scenes import two_lamps

CORNELL = Path("examples/cornell-box.json")


def test_objects_and_lights_of_a_file() -> None:
    scene = rfcli.load_scene(CORNELL)
    original = EditableScene.of(scene, CORNELL)
    assert sum(len(members) for members in original.parts.values()) == len(scene)
    assert [light.name for light in original.lights] == [
        name for name in original.parts if name not in original.surfaces
    ]
    covered = np.concatenate([light.triangles for light in original.lights])
    np.testing.assert_array_equal(np.sort(covered), np.flatnonzero(scene.emitters))


def test_lights_of_a_scene_without_objects_are_those_of_equal_radiance() -> None:
    scene = two_lamps()
    original = EditableScene.of(scene)
    assert [len(light.triangles) for light in original.lights] == [2, 2]
    assert set(original.parts) == {"material 1", "material 2", "light 1", "light 2"}
    assert original.part_of(int(original.lights[0].triangles[0])).startswith("light")


def test_each_change_changes_its_own_numbers_only() -> None:
    scene = two_lamps()
    original = EditableScene.of(scene)
    lamp, wall = original.lights[1], original.parts["material 2"]
    new = Material((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 0.7)
    edits = (
        SceneEdits().with_radiance(1, (1.0, 2.0, 3.0)).with_offset(1, (0.1, 0.0, -0.2)).with_material("material 2", new)
    )
    changed = edits.apply(original)
    moved, material = scene.triangles.copy(), scene.material.copy()
    moved[lamp.triangles] += np.float32([0.1, 0.0, -0.2])
    material[lamp.triangles, EMISSION] = (1, 2, 3)
    material[wall, DIFFUSE], material[wall, SPECULAR], material[wall, ROUGHNESS] = new.diffuse, new.specular, 0.7
    np.testing.assert_array_equal(changed.triangles, moved)
    np.testing.assert_array_equal(changed.material, material)
    np.testing.assert_array_equal(scene.material, two_lamps().material)  # the original is unchanged
    assert original.material("material 2") != new


def test_light_without_radiance_reflects_nothing() -> None:
    original = EditableScene.of(two_lamps())
    dark = SceneEdits().with_radiance(0, (0.0, 0.0, 0.0)).apply(original)
    assert not dark.material[original.lights[0].triangles][:, : SPECULAR.stop].any()
    alone = one_light(original.scene, original.lights, 1, original.lights[1].radiance)
    np.testing.assert_array_equal(dark.material, alone.material)


@pytest.mark.parametrize("edits", [SceneEdits(), SceneEdits().with_offset(0, (0.0, 0.0, 0.0))])
def test_no_change_is_the_scene_itself(edits: SceneEdits) -> None:
    scene = two_lamps()
    changed: TriangleScene = edits.apply(EditableScene.of(scene))
    for name, array in vars(scene).items():
        np.testing.assert_array_equal(getattr(changed, name), array)
