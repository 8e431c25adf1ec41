"""HDF5 scenes with broken or false contents, or with references to other files."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.cli.bad_input.conftest import Refused

FIELDS = ("triangles", "vn", "material", "c2w", "fov")


def replaced(name: str, value: object, **options: object) -> Callable[[h5py.File], None]:
    """Replace the array `name`."""

    def put(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=value, **options)

    return put


def spoiled(name: str, place: tuple[int, ...], value: float) -> Callable[[h5py.File], None]:
    """Change one number."""

    def put(file: h5py.File) -> None:
        file[name][place] = value

    return put


def linked(name: str, link: object) -> Callable[[h5py.File], None]:
    def put(file: h5py.File) -> None:
        file.move(name, "elsewhere")
        file[name] = link

    return put


def removed(name: str) -> Callable[[h5py.File], None]:
    def put(file: h5py.File) -> None:
        del file[name]

    return put


def announced(name: str, shape: tuple[int, ...], **options: object) -> Callable[[h5py.File], None]:
    """An array that declares a large shape and stores no data."""

    def put(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, shape, np.float32, **options)

    return put


def virtual(file: h5py.File) -> None:
    del file["vn"]
    layout = h5py.VirtualLayout((20, 3, 3), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "vn", (20, 3, 3))
    file.create_virtual_dataset("vn", layout)


def external(file: h5py.File) -> None:
    del file["vn"]
    file.create_dataset("vn", (20, 3, 3), np.float32, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def filtered(file: h5py.File) -> None:
    """The scale-offset filter, which rf does not use."""
    del file["vn"]
    file.create_dataset("vn", data=np.zeros((20, 3, 3), np.float32), chunks=(20, 3, 3), scaleoffset=2)


def made_up_textures(file: h5py.File) -> None:
    """The maximum number of triangles: 109 GB of zeros in a file of some kB."""
    del file["material"]
    file.create_dataset("texture", (1 << 22, 13, 32, 32), np.float16, chunks=(64, 13, 32, 32), compression="gzip")


def twice_deflated(file: h5py.File) -> None:
    """Which shrinks zeros a million times."""
    del file["vn"]
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((20, 3, 3))
    for _ in range(2):
        settings.set_deflate(9)
    space = h5py.h5s.create_simple((20, 3, 3))
    h5py.h5d.create(file.id, b"vn", h5py.h5t.IEEE_F32LE, space, settings)


HDF5: list[tuple[str, Callable[[h5py.File], None], list[str]]] = [
    *[(f"no-{name}", removed(name), ["lacks", name]) for name in FIELDS],
    ("external-link", linked("vn", h5py.ExternalLink("other.h5", "/vn")), ["vn", "link"]),
    ("external-link-to-passwd", linked("triangles", h5py.ExternalLink("/etc/passwd", "/")), ["triangles"]),
    ("external-link-to-a-pipe", linked("vn", h5py.ExternalLink("pipe", "/")), ["vn is a link"]),
    ("soft-link", linked("vn", h5py.SoftLink("/elsewhere")), ["vn is a link"]),
    ("soft-link-to-itself", linked("vn", h5py.SoftLink("/vn")), ["vn"]),
    ("soft-link-to-nowhere", linked("fov", h5py.SoftLink("/a/b/c")), ["fov"]),
    ("virtual", virtual, ["vn lies in other files"]),
    ("external-storage", external, ["vn lies in other files"]),
    ("filter", filtered, ["vn", "HDF5 filter 6", "gzip"]),
    ("a-group", lambda file: (file.move("vn", "other"), file.create_group("vn"))[1] and None, ["vn is a group"]),
    ("a-billion-triangles", announced("triangles", (10**9, 3, 3), chunks=(1000, 3, 3)), ["at most", "decimate"]),
    ("ten-million-triangles", announced("triangles", (10**7, 3, 3), chunks=(1000, 3, 3)), ["at most", "decimate"]),
    (
        "four-million-normals-without-data",
        announced("vn", (1 << 22, 3, 3), chunks=(1000, 3, 3)),
        ["vn declares 150,994,944 bytes but stores 0"],
    ),
    ("textures-without-data", made_up_textures, ["texture declares", "but stores 0"]),
    ("gzip-upon-gzip", twice_deflated, ["vn is stored through one filter several times"]),
    (
        "a-chunk-of-a-gigabyte",
        announced("vn", (20, 3, 3), chunks=(20_000_000, 3, 3), maxshape=(None, 3, 3)),
        ["chunks"],
    ),
    ("fewer-normals", replaced("vn", np.zeros((19, 3, 3), np.float32)), ["vn has shape [19, 3, 3]"]),
    ("flat-triangles", replaced("triangles", np.zeros((20, 9), np.float32)), ["triangles has shape [20, 9]"]),
    ("twelve-materials", replaced("material", np.zeros((20, 12), np.float32)), ["material has shape [20, 12]"]),
    ("3x4-cameras", replaced("c2w", np.zeros((2, 3, 4), np.float32)), ["c2w has shape [2, 3, 4]"]),
    ("one-fov", replaced("fov", np.float32(40)), ["fov"]),
    ("no-triangles", replaced("triangles", np.zeros((0, 3, 3), np.float32)), []),
    ("no-cameras", replaced("c2w", np.zeros((0, 4, 4), np.float32)), ["no cameras"]),
    ("strings", replaced("fov", np.array([b"wide", b"40"])), ["fov has values of type"]),
    ("objects", replaced("fov", ["wide", "40"], dtype=h5py.string_dtype()), ["fov has values of type"]),
    ("complex", replaced("fov", np.array([40j, 40j])), ["fov has values of type complex128"]),
    ("compound", replaced("fov", np.zeros(2, [("a", "f4"), ("b", "f4")])), ["fov has values of type"]),
    ("booleans", replaced("fov", np.array([True, False])), ["fov has values of type"]),
    ("nan", spoiled("triangles", (0, 0, 0), np.nan), ["triangles", "not finite"]),
    ("inf-normal", spoiled("vn", (0, 0, 0), np.inf), ["vn", "not finite"]),
    ("beyond-float32", replaced("fov", np.array([40.0, 1e300])), ["fov", "not finite"]),
    ("far-away", spoiled("triangles", (0, 0, 0), 1e30), ["triangles holds 1e+30"]),
    ("long-normal", spoiled("vn", (0, 0, 0), 70.0), ["vn", "70"]),
    ("negative-diffuse", spoiled("material", (0, 0), -0.5), ["material", "-0.5"]),
    ("bright-specular", spoiled("material", (0, 4), 7.0), ["material", "7"]),
    ("negative-emission", spoiled("material", (0, 11), -2.0), ["emission", "-2"]),
    ("boundless-emission", spoiled("material", (0, 11), 1e30), ["emission", "1e+30"]),
    ("fov-180", spoiled("fov", (0,), 180.0), ["fov holds 180"]),
    ("fov-negative", spoiled("fov", (0,), -40.0), ["fov holds -40"]),
    ("camera-of-zeros", replaced("c2w", np.zeros((2, 4, 4), np.float32)), ["c2w of camera 0"]),
    ("camera-scaled", spoiled("c2w", (1, 0, 0), 3.0), ["c2w of camera 1"]),
    ("camera-projective", spoiled("c2w", (0, 3, 0), 1.0), ["c2w of camera 0"]),
    (
        "texture-small",
        lambda file: replaced("material", 0)(file) or file.move("material", "texture"),
        ["texture has shape []"],
    ),
]


@pytest.mark.parametrize(("how", "words"), [case[1:] for case in HDF5], ids=[case[0] for case in HDF5])
def test_invalid_contents(
    refused: Refused, scene: Path, tmp_path: Path, how: Callable[[h5py.File], None], words: list[str]
) -> None:
    path = tmp_path / "scene.h5"
    path.write_bytes(scene.read_bytes())
    with h5py.File(path, "a") as file:
        how(file)
    os.mkfifo(tmp_path / "pipe")  # who opens it waits for ever
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["vn"] = np.zeros((20, 3, 3), np.float32)
    refused(["render", path], ["scene.h5", *words])


@pytest.mark.parametrize("how", ["empty", "text", "signature", "half", "hole", "scene-json"])
def test_files_that_are_not_hdf5(refused: Refused, scene: Path, tmp_path: Path, how: str) -> None:
    whole = scene.read_bytes()
    content = {
        "empty": b"",
        "text": b"triangles\n",
        "signature": b"\x89HDF\r\n\x1a\n",
        "half": whole[: len(whole) // 2],
        "hole": whole[:100] + bytes(len(whole) - 100),
        "scene-json": b'{"scene_name": "x"}',
    }[how]
    (tmp_path / "scene.h5").write_bytes(content)
    refused(["render", tmp_path / "scene.h5"], ["scene.h5"])
