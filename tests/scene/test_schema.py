"""Each mistake in a scene file gives one sentence that names the file and the field."""

import copy
from typing import Any

import pytest

from rfcli.errors import InputError
from rfcli.scene import load
from rfcli.scene.schema import read_description
from tests.scene.conftest import description

PART = ("objects", "part")


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The example description with the value at `path` replaced; None removes it."""
    scene = copy.deepcopy(description())
    inner: Any = scene
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return scene


def test_defaults_are_the_official_ones(write_scene) -> None:
    scene = changed((*PART, "transform", "normalize"), None)
    part = read_description(write_scene(scene)).objects["part"]
    assert part.transform.normalize is True
    assert part.material.rand_tri_diffuse_seed is None
    assert part.material.random_diffuse_max == 1.0
    assert part.material.random_diffuse_type == "per-shading-group"
    assert (part.remesh, part.remesh_target_face_num) == (False, 2048)


def test_light_with_random_diffuse_max_0_is_accepted(write_scene) -> None:
    assert len(load(write_scene(description(random_diffuse_max=0.0)))) == 1


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((*PART, "material", "diffuze"), [0, 0, 0], ["unknown field objects.part.material.diffuze"]),
        (("camera",), [], ["unknown field camera;"]),
        ((*PART, "colour"), 1, ["unknown field objects.part.colour"]),
        ((*PART, "material", "roughness"), None, ["objects.part.material.roughness is missing"]),
        ((*PART, "mesh_path"), None, ["objects.part.mesh_path is missing"]),
        (("cameras",), [], ["cameras is empty", "add at least one"]),
        (("objects",), {}, ["objects is empty"]),
        ((*PART, "material", "roughness"), 1.5, ["objects.part.material.roughness", "less than or equal to 1"]),
        ((*PART, "material", "roughness"), "0.5", ["objects.part.material.roughness", "valid number"]),
        ((*PART, "material", "diffuse"), [0.1, 0.2], ["objects.part.material.diffuse.2"]),
        ((*PART, "material", "emissive"), [1e9, 0, 0], ["objects.part.material.emissive.0", "65504"]),
        ((*PART, "material", "emissive"), [-1, 0, 0], ["objects.part.material.emissive.0"]),
        ((*PART, "material", "rand_tri_diffuse_seed"), -1, ["rand_tri_diffuse_seed"]),
        ((*PART, "transform", "translation"), [0, float("nan"), 0], ["objects.part.transform.translation.1"]),
        ((*PART, "transform", "scale"), [1, 0, 1], ["objects.part.transform.scale.1"]),
        (("cameras", 0, "fov"), 180, ["cameras.0.fov"]),
        (("cameras", 0, "look_at"), [0.0, -2.0, 0.0], ["cameras.0", "look_at"]),
        (("cameras", 0, "up"), [0.0, 1.0, 0.0], ["cameras.0", "up"]),
    ],
)
def test_invalid_value_is_named(write_scene, path: tuple[Any, ...], value: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load(write_scene(changed(path, value)))
    message = str(caught.value)
    assert "scene.json" in message
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("text", ["", "{", '{"scene_name": "x",}', "[1, 2]", "\x00\xff"])
def test_broken_json_names_the_file(write_scene, text: str) -> None:
    with pytest.raises(InputError, match=r"scene\.json"):
        load(write_scene(text))


def test_error_is_a_value_error(write_scene) -> None:
    with pytest.raises(ValueError, match="not valid JSON"):
        load(write_scene("{"))
