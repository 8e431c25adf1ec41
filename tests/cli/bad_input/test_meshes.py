"""Mesh files that are broken, false or too large; alone and as part of a scene."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.bad_input.conftest import Refused
from tests.cli.conftest import Rf
from tests.scene.conftest import TRIANGLE, description

CORNERS = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
MILLIONS = 10_000_000


def ply(faces: int | str = 1, vertices: int | str = 3, body: str = "0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n") -> str:
    return (
        f"ply\nformat ascii 1.0\nelement vertex {vertices}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {faces}\nproperty list uchar int vertex_indices\nend_header\n{body}"
    )


def glb(tree: Any, binary: bytes = b"\0" * 64, length: int | None = None) -> bytes:
    """A binary glTF; length: declared length of its JSON."""
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text) if length is None else length, b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def gltf(count: int = 3, nodes: int = 1, view: bool = True) -> dict[str, Any]:
    """One mesh of `count` corners in so many nodes; without a view, its numbers are zeros in glTF."""
    accessor = {"componentType": 5126, "count": count, "type": "VEC3", **({"bufferView": 0} if view else {})}
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": list(range(nodes))}],
        "nodes": [{"mesh": 0}] * nodes,
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [accessor],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 64}],
    }


def stl(announced: int, triangles: int = 1) -> bytes:
    return b"\0" * 80 + struct.pack("<I", announced) + b"\0" * (50 * triangles)


MESHES: list[tuple[str, str, str | bytes, list[str]]] = [
    ("empty", "obj", "", ["no faces"]),
    ("no-faces", "obj", CORNERS, ["no faces"]),
    ("single-vertex", "obj", "v 0 0 0\n", ["no faces"]),
    ("index-beyond", "obj", CORNERS + "f 1 2 9\n", []),
    ("index-zero", "obj", CORNERS + "f 0 1 2\n", []),
    ("index-far-back", "obj", CORNERS + "f -1 -2 -9\n", []),
    ("index-word", "obj", CORNERS + "f one two three\n", []),
    ("index-real", "obj", CORNERS + "f 1.5 2 3\n", []),
    ("nan", "obj", "v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", ["not finite"]),
    ("inf", "obj", "v inf 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", ["not finite"]),
    ("1e999", "obj", "v 1e999 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", ["not finite"]),
    ("1e300", "obj", "v 1e300 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", ["farther than", "scale the mesh down"]),
    ("two-coordinates", "obj", "v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n", []),
    ("zero-area", "obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n" * 3, ["no faces with an area"]),
    ("coincident", "obj", "v 1 1 1\n" * 3 + "f 1 2 3\n", ["no faces with an area"]),
    ("binary", "obj", bytes(range(256)) * 40, []),
    ("ten-million-faces", "obj", CORNERS + "f 1 2 3\n" * MILLIONS, ["10,000,000 triangles"]),
    ("ply-empty", "ply", "", []),
    ("ply-header-only", "ply", "ply\nformat ascii 1.0\n", []),
    ("ply-no-body", "ply", ply(body=""), []),
    ("ply-index-beyond", "ply", ply(body="0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n"), ["face 0 has vertex 7"]),
    ("ply-index-negative", "ply", ply(body="0 0 0\n1 0 0\n0 1 0\n3 0 1 -7\n"), ["face 0 has vertex -7"]),
    ("ply-nan", "ply", ply(body="nan 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"), ["not finite"]),
    ("ply-ten-million-faces", "ply", ply(MILLIONS), ["10,000,000 triangles"]),
    ("ply-1e18-vertices", "ply", ply(vertices=10**18), ["triangles"]),
    ("ply-negative-count", "ply", ply(faces=-3), []),
    ("ply-word-count", "ply", ply(faces="many"), []),
    ("stl-empty", "stl", b"", []),
    ("stl-torn", "stl", b"\0" * 60, []),
    ("stl-lies-high", "stl", stl(MILLIONS), []),
    ("stl-lies-low", "stl", stl(0, 2), []),
    ("stl-nan", "stl", b"\0" * 80 + struct.pack("<I", 1) + struct.pack("<12fH", *[float("nan")] * 12, 0), ["not fin"]),
    ("stl-text-torn", "stl", "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0", []),
    ("glb-empty", "glb", b"", []),
    ("glb-magic", "glb", b"glTX" + bytes(40), []),
    ("glb-json-length", "glb", glb(gltf(), length=1 << 31), []),
    ("glb-not-json", "glb", glb(b"{" * 64), []),
    ("glb-nested", "glb", glb(b"[" * 100_000 + b"]" * 100_000), []),
    ("glb-list", "glb", glb([]), []),
    ("glb-zeros-of-a-billion", "glb", glb(gltf(10**9, view=False)), ["triangles", "decimate"]),
    ("glb-count-lies", "glb", glb(gltf(3000)), []),
    ("glb-a-mesh-many-times", "glb", glb(gltf(3000, nodes=10_000)), ["10,000,000 triangles"]),
    ("glb-no-mesh", "glb", glb({"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": []}]}), []),
    ("off-empty", "off", "", []),
    ("off-ten-million", "off", "OFF\n3 10000000 0\n0 0 0\n", ["10,000,000 triangles"]),
    ("off-torn", "off", "OFF\n3 1 0\n0 0 0\n1 0 0\n", []),
    ("off-index-beyond", "off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n", []),
]


@pytest.mark.parametrize(
    ("suffix", "content", "words"), [case[1:] for case in MESHES], ids=[case[0] for case in MESHES]
)
def test_invalid_mesh(refused: Refused, tmp_path: Path, suffix: str, content: str | bytes, words: list[str]) -> None:
    path = tmp_path / f"thing.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(["render", path, "--device", "cpu"], [path.name, *words])


def test_a_mesh_of_three_gigabytes(refused: Refused, tmp_path: Path) -> None:
    with open(tmp_path / "thing.obj", "wb") as file:
        file.truncate(3_000_000_000)
    refused(["render", tmp_path / "thing.obj"], ["thing.obj", "3.0 GB"])


@pytest.mark.parametrize("name", ["part.zip", "part.tar.gz", "part.svg", "part", "part.json"])
def test_other_files_as_meshes_of_a_scene(refused: Refused, write_scene: Callable[..., Path], name: str) -> None:
    scene = description()
    scene["objects"]["part"]["mesh_path"] = name
    path = write_scene(scene)
    (path.parent / name).write_bytes(b"PK\x03\x04" + bytes(100))
    refused(["render", path], [name])


def test_a_material_file_of_a_mesh_is_not_opened(
    rf: Rf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_scene: Callable[..., Path]
) -> None:
    import builtins

    opened, original = [], builtins.open

    def spy(file: object, *arguments: Any, **options: Any) -> Any:
        opened.append(str(file))
        return original(file, *arguments, **options)  # type: ignore[call-overload]

    (tmp_path / "secret.mtl").write_text("newmtl a\nmap_Kd secret.png\n")
    path = write_scene(description(), "mtllib ../secret.mtl\nusemtl a\n" + TRIANGLE)
    monkeypatch.setattr(builtins, "open", spy)
    assert rf("render", path, "--show-scene").exit_code == 0
    assert not any("secret" in name for name in opened)


ODD = {
    "degenerate": TRIANGLE + "v 5 5 5\nf 1 1 1\nf 1 2 2\nf 4 4 4\n",
    "duplicate": TRIANGLE + "f 1 2 3\n" * 5 + "f 3 2 1\n",
    "all-in-a-point": "v 0.1 0.1 0.1\n" * 3 + "f 1 2 3\nf 1 2 3\n",
    "unused-vertices": TRIANGLE + "v 1e8 0 0\n" * 10,
    "byte-order-mark": "\ufeff" + TRIANGLE,
    "carriage-returns": TRIANGLE.replace("\n", "\r\n"),
    "polygon": "".join(f"v {np.cos(i)} {np.sin(i)} 0\n" for i in range(6)) + "f 1 2 3 4 5 6\n",
    "tiny": "v 0 0 0\nv 1e-30 0 0\nv 0 1e-30 0\nf 1 2 3\n",
}


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("how", ODD)
def test_odd_meshes_in_a_scene_are_rendered(
    rf: Rf, write_scene: Callable[..., Path], model: Path, how: str, smooth: bool
) -> None:
    path = write_scene(description(smooth_shading=smooth, emissive=[5.0, 5.0, 5.0]), ODD[how])
    result = rf("render", path, "--model", model, "--resolution", 8, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    from rfcli.pictures.images import read_exr

    image = read_exr(path.parent / "scene.exr")
    assert np.isfinite(image).all()
    assert (image >= 0).all()
