"""Readers of untrusted files. They must succeed or raise one of EXPECTED_ERRORS; any other error is a defect."""

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch
import trimesh
import typer

from rfcli.cli.bench_output import crossing_sentences, quality_tables, seconds_tables
from rfcli.cli.config import _read as read_options
from rfcli.dataset.manifest import Entry, read_manifest
from rfcli.dataset.pack import write_tar
from rfcli.dataset.record import read_record
from rfcli.dataset.sample import Sample, read_sample, sample_bytes
from rfcli.errors import InputError
from rfcli.model import RenderFormer, read_checkpoint, save_checkpoint
from rfcli.model.checkpoint import read_config
from rfcli.scene import load
from rfcli.scene.mesh import read_mesh
from rfcli.study.plots.outputs import machine_line, run_titles
from rfcli.study.plots.report.page import checkboxes, cost_sections, findings, quality_sections
from rfcli.study.results.comparison import differences
from rfcli.study.results.files import read_results
from tests.scene.conftest import TRIANGLE, description
from tests.support.dataset_sources import tiny_scene
from tests.support.small_model import SMALL
from tests.support.study_results import invented_results

EXPECTED_ERRORS = (InputError, typer.BadParameter)
MESH_FORMATS = ("obj", "ply", "stl", "glb", "off")


def scene(path: Path) -> None:
    (path.parent / "meshes").mkdir(exist_ok=True)
    (path.parent / "meshes" / "part.obj").write_text(TRIANGLE)
    load(path)


def weights(path: Path) -> None:
    (path.parent / "config.json").write_text(json.dumps(SMALL.to_dict()))
    read_checkpoint(path.parent, path.name)


def results(path: Path) -> None:
    """Read the results of a study, and make its sentences, tables and charts."""
    found = read_results(path)
    names = found.names()
    [*seconds_tables(found), *quality_tables(found), *crossing_sentences(found), *findings(found)]
    machine_line(found.setup)
    [*quality_sections(found, None), *cost_sections(found, run_titles(found.setup))]
    checkboxes(names)
    with contextlib.suppress(InputError):
        differences(found, found)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "scene": ("scene.json", scene),
    "hdf5": ("scene.h5", load),
    "config": ("config.json", read_config),
    "weights": ("model.safetensors", weights),
    **{suffix: (f"mesh.{suffix}", read_mesh) for suffix in MESH_FORMATS},
    "sample": ("000000.h5", read_sample),
    "pack": ("000000.tar", lambda path: read_sample(path / "000000.h5")),
    "manifest": ("manifest.jsonl", lambda path: read_manifest(path.parent)),
    "record": ("dataset.json", lambda path: read_record(path.parent)),
    "options": ("rf.yaml", read_options),
    "results": ("results.json", results),
}


def read(reader: str, content: bytes) -> None:
    """Run a reader on the content; errors other than EXPECTED_ERRORS propagate."""
    name, function = READERS[reader]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with contextlib.suppress(*EXPECTED_ERRORS):
            function(path)


def valid_file(reader: str) -> bytes:
    """Content of a small valid file for the reader."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / READERS[reader][0]
        WRITERS[reader](path)
        return path.read_bytes()


def mesh(path: Path) -> None:
    trimesh.creation.box().export(path)


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, shape in (("triangles", (4, 3, 3)), ("vn", (4, 3, 3)), ("material", (4, 13)), ("fov", (1,))):
            file.create_dataset(name, data=np.full(shape, 0.5, np.float32), compression="gzip")
        file["c2w"] = torch.eye(4)[None].numpy()


def sample() -> bytes:
    images = np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float16)
    return sample_bytes(Sample(tiny_scene(0), images, images[None]))


def entries(count: int = 3) -> list[Entry]:
    return [Entry(i, f"scenes/{i:06d}.h5", 0, 300, 4, 1000, "0" * 64, {"unlit": 2}) for i in range(count)]


def pack(path: Path) -> None:
    (path.parent / "scenes").mkdir()
    (path.parent / "scenes" / "000000.h5").write_bytes(sample())
    write_tar(path, path.parent, entries(1))


def manifest(path: Path) -> None:
    path.write_text("".join(json.dumps(entry._asdict()) + "\n" for entry in entries()))


def options(path: Path) -> None:
    path.write_text("triangles: 1k-4k\nview: [0, 2]\nseed: 3\nstages:\n- {steps: 60, resolution: 64}\ndevice: cpu\n")


RECORD = {"format": 2, "seed": 0, "options": {"views": 2, "shard": "1/2"}, "versions": {"numpy": "2"}, "asked": 3}
WRITERS: dict[str, Callable[[Path], object]] = {
    "scene": lambda path: path.write_text(json.dumps(description())),
    "hdf5": hdf5,
    "config": lambda path: path.write_text(json.dumps(SMALL.to_dict())),
    "weights": lambda path: save_checkpoint(RenderFormer(SMALL), path.parent, ""),
    **dict.fromkeys(MESH_FORMATS, mesh),
    "sample": lambda path: path.write_bytes(sample()),
    "pack": pack,
    "manifest": manifest,
    "record": lambda path: path.write_text(json.dumps(RECORD)),
    "options": options,
    "results": lambda path: invented_results().write(path),
}
