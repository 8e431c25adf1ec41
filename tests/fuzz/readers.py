"""What reads strangers' files, as functions of bytes that end well, with InputError, or with a defect."""

import contextlib
import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch

from rfcli.errors import InputError
from rfcli.model import RenderFormer, read_checkpoint, save_checkpoint
from rfcli.model.checkpoint import read_config
from rfcli.scene import load
from rfcli.scene.mesh import read_mesh
from tests.scene.conftest import TRIANGLE, description
from tests.study.small import SMALL


def scene(path: Path) -> None:
    (path.parent / "meshes").mkdir(exist_ok=True)
    (path.parent / "meshes" / "part.obj").write_text(TRIANGLE)
    load(path)


def weights(path: Path) -> None:
    (path.parent / "config.json").write_text(json.dumps(SMALL.to_dict()))
    read_checkpoint(path.parent, path.name)


EXTREMES = (0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "scene": ("scene.json", scene),
    "hdf5": ("scene.h5", load),
    "config": ("config.json", read_config),
    "weights": ("model.safetensors", weights),
    "obj": ("mesh.obj", read_mesh),
    "ply": ("mesh.ply", read_mesh),
    "stl": ("mesh.stl", read_mesh),
    "glb": ("mesh.glb", read_mesh),
    "off": ("mesh.off", read_mesh),
}


def read(reader: str, content: bytes) -> None:
    """Raises whatever the reader raises, except InputError: that is how a bad file has to end."""
    name, function = READERS[reader]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            function(path)


def good(reader: str) -> bytes:
    """A small file that the reader takes."""
    import trimesh

    if reader == "scene":
        return json.dumps(description()).encode()
    if reader == "config":
        return json.dumps(SMALL.to_dict()).encode()
    if reader in ("obj", "ply", "stl", "glb", "off"):
        exported = trimesh.creation.box().export(file_type=reader)
        return exported.encode() if isinstance(exported, str) else bytes(exported)
    with tempfile.TemporaryDirectory() as folder:
        if reader == "weights":
            save_checkpoint(RenderFormer(SMALL), Path(folder), "")
            return (Path(folder) / "model.safetensors").read_bytes()
        with h5py.File(Path(folder) / "scene.h5", "w") as file:
            for name, shape in (("triangles", (4, 3, 3)), ("vn", (4, 3, 3)), ("material", (4, 13)), ("fov", (1,))):
                file.create_dataset(name, data=np.full(shape, 0.5, np.float32), compression="gzip")
            file["c2w"] = torch.eye(4)[None].numpy()
        return (Path(folder) / "scene.h5").read_bytes()


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with some bytes changed, cut, doubled, or numbers in it made extreme."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        if not data:
            break
        at = int(rng.integers(len(data)))
        how = int(rng.integers(6))
        if how == 0:
            data[at] = int(rng.integers(256))
        elif how == 1:
            del data[at : at + int(rng.integers(1, 64))]
        elif how == 2:
            data[at:at] = data[at : at + int(rng.integers(1, 64))]
        elif how == 3:
            data[at : at + 8] = struct.pack("<Q", EXTREMES[int(rng.integers(len(EXTREMES)))])
        elif how == 4:
            data[at : at + 4] = struct.pack("<f", float(rng.choice([np.nan, np.inf, -1e38, 1e-45])))
        else:
            words = [b"null", b"-1", b"1e999", b"NaN", b"[]", b"{}", b'""', b"99999999999999999999", b"true"]
            data[at:at] = words[int(rng.integers(len(words)))]
    return bytes(data)
