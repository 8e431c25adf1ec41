"""glTF files that lie or attack end in one sentence, soon and without much memory."""

import io
import json
import resource
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rfcli.errors import InputError
from rfcli.scene import place_file
from tests.support.glb_files import QUAD, QUAD_FACES, QUAD_UV, GlbFile

MAX_SECONDS = 20.0
MAX_GROWTH = 1 << 20  # kB of memory


def plain() -> GlbFile:
    glb = GlbFile()
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES))
    return glb


def large_png(width: int, height: int) -> bytes:
    """A PNG whose header says width x height, with a single row."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    )


def lying_accessor(glb: GlbFile) -> None:
    glb.document["accessors"][0]["count"] = 1 << 20


def huge_accessor(glb: GlbFile) -> None:
    glb.document["accessors"][1]["count"] = 10**15


def lying_view(glb: GlbFile) -> None:
    glb.document["bufferViews"][0]["byteLength"] = 1 << 40


def negative_offset(glb: GlbFile) -> None:
    glb.document["bufferViews"][0]["byteOffset"] = -8


def cyclic_nodes(glb: GlbFile) -> None:
    glb.document["nodes"][0]["children"] = [1]
    glb.node(root=False, children=[0])


def doubling_nodes(glb: GlbFile) -> None:
    """Thirty nodes, each twice the child of the next: 2^30 instances."""
    for index in range(30):
        glb.document["nodes"].append({"children": [index, index]})
    glb.document["scenes"][0]["nodes"] = [30]


def instances(glb: GlbFile) -> None:
    """10^9 instances, by an accessor without data."""
    index = glb.add("accessors", {"componentType": 5126, "count": 10**9, "type": "VEC3"})
    attributes = {"attributes": {"TRANSLATION": index}}
    glb.document["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": attributes}


def many_nodes(glb: GlbFile) -> None:
    """A million nodes that show one mesh of six triangles declared as many."""
    glb.document["accessors"][1]["count"] = 3 * (1 << 21)
    glb.document["nodes"] = [{"mesh": 0}] * 1000
    glb.document["scenes"][0]["nodes"] = list(range(1000))


def with_image(glb: GlbFile, **image: Any) -> None:
    glb.add("images", image)
    glb.add("textures", {"source": 0})
    glb.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}})
    primitive = glb.document["meshes"][0]["primitives"][0]
    primitive["material"] = 0
    primitive["attributes"]["TEXCOORD_0"] = glb.accessor(QUAD_UV)


def large_image(glb: GlbFile) -> None:
    with_image(glb, bufferView=glb.view(large_png(100_000, 100_000)), mimeType="image/png")


def broken_image(glb: GlbFile) -> None:
    with_image(glb, bufferView=glb.view(large_png(64, 64)), mimeType="image/png")


def outside_image(glb: GlbFile) -> None:
    with_image(glb, uri="../secret.png")


def outside_by_escape(glb: GlbFile) -> None:
    with_image(glb, uri="%2e%2e/secret.png")


def absolute_image(glb: GlbFile) -> None:
    with_image(glb, uri="/etc/hostname")


def remote_image(glb: GlbFile) -> None:
    with_image(glb, uri="https://example.com/a.png")


def wrong_types(glb: GlbFile) -> None:
    glb.document["nodes"][0]["translation"] = ["a", None, {}]


def infinite_scale(glb: GlbFile) -> None:
    glb.document["nodes"][0]["scale"] = [1e300, 1e300, 1e300]


def missing_vertices(glb: GlbFile) -> None:
    glb.document["meshes"][0]["primitives"][0]["indices"] = glb.accessor(np.array([0, 1, 60000], np.uint16))


def not_a_number(glb: GlbFile) -> None:
    index = glb.accessor(np.full((4, 3), np.nan, np.float32))
    glb.document["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = index


ATTACKS: list[tuple[Callable[[GlbFile], None], str]] = [
    (lying_accessor, "bytes"),
    (huge_accessor, "triangles"),
    (lying_view, "bytes"),
    (negative_offset, "bytes"),
    (cyclic_nodes, "cycle"),
    (doubling_nodes, "cycle"),
    (instances, "triangles"),
    (many_nodes, "triangles"),
    (large_image, "too large"),
    (broken_image, "broken"),
    (outside_image, "outside"),
    (outside_by_escape, "outside"),
    (absolute_image, "outside"),
    (remote_image, "downloaded"),
    (wrong_types, "translation"),
    (infinite_scale, "scaled"),
    (missing_vertices, "do not exist"),
    (not_a_number, "not finite"),
]


@pytest.mark.parametrize(("attack", "words"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_attacks_end_in_a_sentence(tmp_path: Path, attack: Callable[[GlbFile], None], words: str) -> None:
    glb = plain()
    attack(glb)
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(large_png(8, 8))
    path = glb.write(folder / "file.glb")
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(InputError) as caught:
        place_file(path)
    assert time.monotonic() - start < MAX_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_truncated_files_end_in_a_sentence(tmp_path: Path) -> None:
    content = plain().content()
    for length in [*range(4, 64), *range(64, len(content), 37)]:
        (tmp_path / "file.glb").write_bytes(content[:length])
        with pytest.raises(InputError, match=r"file\.glb"):
            place_file(tmp_path / "file.glb")


def test_changed_bytes_never_crash(tmp_path: Path) -> None:
    """Any bytes of the JSON replaced: a scene or a sentence."""
    rng = np.random.default_rng(0)
    content = plain().content()
    end = 20 + struct.unpack("<I", content[12:16])[0]
    for _ in range(300):
        changed = bytearray(content)
        for place in rng.integers(20, end, 3):
            changed[place] = rng.choice(np.frombuffer(b'0123456789-,{}[]":eE.', np.uint8))
        (tmp_path / "file.glb").write_bytes(bytes(changed))
        with suppress(InputError):
            place_file(tmp_path / "file.glb")


@pytest.mark.slow
def test_changed_values_never_crash(tmp_path: Path) -> None:
    """Each value of the JSON replaced by one of another kind: a scene or a sentence."""
    original = json.loads(json.dumps(_with_everything().document))
    paths: list[list[Any]] = []

    def walk(value: Any, path: list[Any]) -> None:
        paths.append(path)
        if isinstance(value, dict):
            for key in value:
                walk(value[key], [*path, key])
        elif isinstance(value, list):
            for index in range(len(value)):
                walk(value[index], [*path, index])

    walk(original, [])
    glb = _with_everything()
    for path in paths[1:]:
        for wrong in (None, -1, 10**12, 1e300, "x", [], {}, True):
            document = json.loads(json.dumps(original))
            holder = document
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = wrong
            glb.document = document
            file = glb.write(tmp_path / "file.glb")
            with suppress(InputError):
                place_file(file)


def _with_everything() -> GlbFile:
    glb = plain()
    content = io.BytesIO()
    Image.new("RGB", (2, 2)).save(content, "PNG")
    with_image(glb, bufferView=glb.view(content.getvalue()), mimeType="image/png")
    glb.light({"translation": [0, 0, 3]}, type="spot", intensity=5.0, spot={"innerConeAngle": 0.1})
    glb.camera(0.8, translation=[0, 0, 4])
    return glb
