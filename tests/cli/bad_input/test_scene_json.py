"""Invalid scene files."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.bad_input.conftest import Refused
from tests.cli.conftest import Rf
from tests.scene.conftest import TRIANGLE, description

PART = ("objects", "part")
MATERIAL, TRANSFORM, CAMERA = (*PART, "material"), (*PART, "transform"), ("cameras", 0)


def put(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The hand-made scene with `value` at `path`."""
    scene = copy.deepcopy(description())
    inner: Any = scene
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return scene


def without(*path: str | int) -> dict[str, Any]:
    """The hand-made scene without the field at `path`."""
    scene = put(path, None)
    inner: Any = scene
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return scene


def text(path: tuple[str | int, ...], literal: str) -> str:
    """The scene as JSON with `literal` at `path`, which json.dumps would not write."""
    return json.dumps(put(path, "PLACEHOLDER")).replace('"PLACEHOLDER"', literal)


FIELDS: list[tuple[str, tuple[str | int, ...], Any, list[str]]] = [
    ("objects-list", ("objects",), [], ["objects", "correct the value"]),
    ("objects-empty", ("objects",), {}, ["objects is empty"]),
    ("objects-null", ("objects",), None, ["objects"]),
    ("object-number", PART, 7, ["objects.part"]),
    ("cameras-empty", ("cameras",), [], ["cameras is empty"]),
    ("cameras-object", ("cameras",), {}, ["cameras"]),
    ("camera-list", CAMERA, [], ["cameras.0"]),
    ("name-number", ("scene_name",), 5, ["scene_name"]),
    ("version-number", ("version",), 1.0, ["version"]),
    ("unknown-field", ("lights",), [], ["unknown field lights", "remove it"]),
    ("unknown-field-deep", (*MATERIAL, "metallic"), 1, ["unknown field objects.part.material.metallic"]),
    ("field-with-escape-codes", ("a\x1b[2Jb\n\x07",), 1, ["unknown field"]),
    ("field-of-a-megabyte", ("x" * 1_000_000,), 1, ["unknown field"]),
    ("mesh-path-number", (*PART, "mesh_path"), 3, ["objects.part.mesh_path"]),
    ("mesh-path-null-byte", (*PART, "mesh_path"), "a\0b.obj", ["mesh"]),
    ("mesh-path-empty", (*PART, "mesh_path"), "", ["mesh"]),
    ("mesh-path-folder", (*PART, "mesh_path"), "meshes", ["meshes", "no such mesh"]),
    ("mesh-path-absent", (*PART, "mesh_path"), "meshes/absent.obj", ["absent.obj", "no such mesh"]),
    ("mesh-path-very-long", (*PART, "mesh_path"), "m" * 10_000, ["mesh"]),
    ("mesh-path-up", (*PART, "mesh_path"), "../part.obj", ["../part.obj", "--allow-outside"]),
    ("mesh-path-up-and-down", (*PART, "mesh_path"), "meshes/../../x.obj", ["outside", "--allow-outside"]),
    ("mesh-path-absolute", (*PART, "mesh_path"), "/etc/passwd", ["/etc/passwd", "--allow-outside"]),
    ("mesh-path-device", (*PART, "mesh_path"), "/dev/zero", ["/dev/zero", "--allow-outside"]),
    ("mesh-path-url", (*PART, "mesh_path"), "https://example.com/m.obj", ["no such mesh"]),
    ("material-missing-diffuse", (*MATERIAL, "diffuse"), None, ["material.diffuse"]),
    ("diffuse-two", (*MATERIAL, "diffuse"), [0.1, 0.2], ["diffuse.2", "missing"]),
    ("diffuse-four", (*MATERIAL, "diffuse"), [0.1, 0.2, 0.3, 0.4], ["diffuse"]),
    ("diffuse-string", (*MATERIAL, "diffuse"), "red", ["diffuse"]),
    ("diffuse-negative", (*MATERIAL, "diffuse"), [-0.1, 0, 0], ["diffuse.0"]),
    ("diffuse-bright", (*MATERIAL, "diffuse"), [0, 1.1, 0], ["diffuse.1"]),
    ("specular-huge", (*MATERIAL, "specular"), [0, 0, 1e30], ["specular.2"]),
    ("roughness-negative", (*MATERIAL, "roughness"), -1, ["roughness"]),
    ("roughness-true", (*MATERIAL, "roughness"), True, ["roughness"]),
    ("emission-negative", (*MATERIAL, "emissive"), [-5, 0, 0], ["emissive.0"]),
    ("emission-huge", (*MATERIAL, "emissive"), [0, 0, 1e30], ["emissive.2", "65504"]),
    ("smooth-number", (*MATERIAL, "smooth_shading"), 1, ["smooth_shading"]),
    ("seed-negative", (*MATERIAL, "rand_tri_diffuse_seed"), -1, ["rand_tri_diffuse_seed"]),
    ("seed-real", (*MATERIAL, "rand_tri_diffuse_seed"), 1.5, ["rand_tri_diffuse_seed"]),
    ("seed-of-5000-digits", (*MATERIAL, "rand_tri_diffuse_seed"), int("9" * 4000), ["rand_tri_diffuse_seed"]),
    ("random-type", (*MATERIAL, "random_diffuse_type"), "per-vertex", ["random_diffuse_type"]),
    ("scale-zero", (*TRANSFORM, "scale"), [1.0, 0.0, 1.0], ["scale.1", "no thickness"]),
    ("scale-huge", (*TRANSFORM, "scale"), [1.0, 1e300, 1.0], ["scale.1"]),
    ("translation-huge", (*TRANSFORM, "translation"), [1e30, 0.0, 0.0], ["translation.0"]),
    ("translation-of-400-digits", (*TRANSFORM, "translation"), [10**400, 0, 0], ["translation.0"]),
    ("rotation-huge", (*TRANSFORM, "rotation"), [0.0, 0.0, 1e300], ["rotation.2"]),
    ("normalize-string", (*TRANSFORM, "normalize"), "yes", ["normalize"]),
    ("remesh-too-few", (*PART, "remesh_target_face_num"), 0, ["remesh_target_face_num"]),
    ("remesh-too-many", (*PART, "remesh_target_face_num"), 10**12, ["remesh_target_face_num"]),
    ("fov-zero", (*CAMERA, "fov"), 0, ["cameras.0.fov"]),
    ("fov-180", (*CAMERA, "fov"), 180, ["cameras.0.fov"]),
    ("fov-just-below-180", (*CAMERA, "fov"), 180 - 1e-13, ["cameras.0.fov"]),
    ("fov-negative", (*CAMERA, "fov"), -40, ["cameras.0.fov"]),
    ("position-huge", (*CAMERA, "position"), [0.0, 1e38, 0.0], ["cameras.0.position.1"]),
    ("looks-at-itself", (*CAMERA, "look_at"), [0.0, -2.0, 0.0], ["cameras.0", "move look_at away"]),
    ("up-along-view", (*CAMERA, "up"), [0.0, 1.0, 0.0], ["cameras.0", "choose an up that is not parallel"]),
    ("up-zero", (*CAMERA, "up"), [0.0, 0.0, 0.0], ["cameras.0", "up"]),
    ("looks-almost-at-itself", (*CAMERA, "look_at"), [1e-200, -2.0, 0.0], ["cameras.0"]),
]


@pytest.mark.parametrize(("path", "value", "words"), [case[1:] for case in FIELDS], ids=[case[0] for case in FIELDS])
def test_invalid_field(
    refused: Refused, write_scene: Callable[..., Path], path: tuple[str | int, ...], value: Any, words: list[str]
) -> None:
    refused(["render", write_scene(json.dumps(put(path, value)))], words)


FILES: list[tuple[str, str | bytes, list[str]]] = [
    ("empty", "", ["not valid JSON"]),
    ("white-space", " \n\n ", ["not valid JSON"]),
    ("torn", json.dumps(description())[:-40], ["not valid JSON"]),
    ("list", "[]", ["correct"]),
    ("number", "3", ["correct"]),
    ("null", "null", ["correct"]),
    ("no-cameras", json.dumps(without("cameras")), ["cameras is missing"]),
    ("no-objects", json.dumps(without("objects")), ["objects is missing"]),
    ("no-fov", json.dumps(without("cameras", 0, "fov")), ["cameras.0.fov is missing"]),
    ("no-transform", json.dumps(without(*TRANSFORM)), ["objects.part.transform is missing"]),
    ("nan", text((*MATERIAL, "roughness"), "NaN"), ["roughness"]),
    ("infinity", text((*CAMERA, "position"), "[0, -Infinity, 0]"), ["position.1"]),
    ("1e999", text((*TRANSFORM, "translation"), "[1e999, 0, 0]"), ["translation.0"]),
    ("two-documents", json.dumps(description()) * 2, ["not valid JSON"]),
    ("comment", "// a scene\n" + json.dumps(description()), ["not valid JSON"]),
    ("trailing-comma", json.dumps(description())[:-1] + ",}", ["not valid JSON"]),
    ("latin-1", json.dumps(put(("scene_name",), "Möbel"), ensure_ascii=False).encode("latin-1"), ["not valid JSON"]),
    ("utf-16", json.dumps(description()).encode("utf-16"), ["not valid JSON"]),
    ("binary", bytes(range(256)) * 16, ["not valid JSON"]),
    ("lone-surrogate", text(("scene_name",), r'"\ud800"'), ["not valid JSON"]),
    ("nested-100", text(("scene_name",), "[" * 100 + "]" * 100), ["scene_name"]),
    ("nested-100000", "[" * 100_000 + "]" * 100_000, ["not valid JSON", "recursion"]),
    ("nested-objects-100000", '{"a":' * 100_000 + "1" + "}" * 100_000, ["not valid JSON"]),
    ("100000-cameras", json.dumps(put(("cameras",), description()["cameras"] * 100_000)), ["cameras", "at most"]),
    (
        "a-crowd-of-objects",
        json.dumps(put(("objects",), {str(i): description()["objects"]["part"] for i in range(20_000)})),
        ["objects", "at most"],
    ),
]


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_invalid_file(refused: Refused, tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    path = tmp_path / "scene.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "part.obj").write_text(TRIANGLE)
    refused(["render", path], ["scene.json", *words])


def test_a_file_of_a_gigabyte(refused: Refused, tmp_path: Path) -> None:
    with open(tmp_path / "scene.json", "wb") as file:
        file.truncate(1 << 30)  # zeros that take no space
    refused(["render", tmp_path / "scene.json"], ["scene.json", "1,074 MB"])


def test_a_large_mesh_used_many_times(refused: Refused, write_scene: Callable[..., Path]) -> None:
    """A small file with 40 million triangles."""
    part = description()["objects"]["part"]
    scene = put(("objects",), {str(number): part for number in range(1000)})
    mesh = "v 0 0 0\nv 1 0 0\nv 0 1 0\n" + "f 1 2 3\n" * 40_000
    refused(["render", write_scene(scene, mesh)], ["scene.json", "triangles", "at most"])


@pytest.mark.parametrize("kind", ["absent", "folder", "suffix", "unreadable", "fifo"])
def test_mesh_paths_outside_the_folder(refused: Refused, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"scene.{'txt' if kind == 'suffix' else 'json'}"
    if kind == "folder":
        (tmp_path / "nothing").mkdir()
        path = tmp_path / "nothing"
    elif kind == "suffix":
        path.write_text("{}")
    elif kind == "unreadable":
        path.symlink_to("/proc/self/mem")
    elif kind == "fifo":
        os.mkfifo(path)
    refused(["render", path], [path.name])


def test_symlinks_out_of_the_folder(refused: Refused, rf: Rf, tmp_path: Path) -> None:
    (tmp_path / "private.obj").write_text(TRIANGLE)
    (tmp_path / "scene").mkdir()
    (tmp_path / "scene" / "part.obj").symlink_to(tmp_path / "private.obj")
    path = tmp_path / "scene" / "scene.json"
    path.write_text(json.dumps(put((*PART, "mesh_path"), "part.obj")))
    refused(["render", path], ["part.obj", "outside", "--allow-outside"])
    assert rf("render", path, "--show-scene", "--allow-outside").exit_code == 0


def test_allow_outside_reads_meshes_outside_the_folder(rf: Rf, tmp_path: Path) -> None:
    (tmp_path / "part.obj").write_text(TRIANGLE)
    (tmp_path / "scenes").mkdir()
    path = tmp_path / "scenes" / "scene.json"
    path.write_text(json.dumps(put((*PART, "mesh_path"), "../part.obj")))
    assert rf("render", path, "--show-scene").exit_code == 2
    assert rf("render", path, "--show-scene", "--allow-outside").exit_code == 0


def test_a_byte_order_mark_is_accepted(rf: Rf, write_scene: Callable[..., Path]) -> None:
    """Editors on Windows put it there, and RFC 8259 lets a parser overlook it."""
    path = write_scene("\ufeff" + json.dumps(description()))
    assert rf("render", path, "--show-scene").exit_code == 0
