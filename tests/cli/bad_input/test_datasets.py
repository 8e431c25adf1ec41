"""Datasets with broken or false files, or with paths outside their folder."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rfcli.dataset.manifest import read_manifest, write_manifest
from rfcli.dataset.record import write_record
from tests.cli.bad_input.conftest import Refused
from tests.cli.bad_input.test_hdf5 import announced, external, filtered, linked, removed, replaced, spoiled, virtual
from tests.support.dataset_sources import valid_sample, write_entry

RECORD = {"format": 2, "seed": 0, "options": {"views": 2, "shard": "1/1"}, "versions": {}, "asked": 3}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A valid dataset of three scenes, shard 1/1, which the tests modify."""
    folder = tmp_path / "data"
    (folder / "scenes").mkdir(parents=True)
    write_record(folder, RECORD)
    write_manifest(folder, [write_entry(folder, index, valid_sample(index)) for index in range(3)])
    return folder


SAMPLES: list[tuple[str, Callable[[h5py.File], None], list[str]]] = [
    *[(f"no-{name}", removed(name), ["no", name]) for name in ("triangles", "vn", "material", "c2w", "fov", "images")],
    ("external-link", linked("vn", h5py.ExternalLink("other.h5", "/vn")), ["vn is a link"]),
    ("external-link-for-images", linked("images", h5py.ExternalLink("other.h5", "/vn")), ["images is a link"]),
    ("external-link-to-passwd", linked("triangles", h5py.ExternalLink("/etc/passwd", "/")), ["triangles is a link"]),
    ("external-link-to-a-pipe", linked("vn", h5py.ExternalLink("pipe", "/")), ["vn is a link"]),
    ("soft-link", linked("vn", h5py.SoftLink("/elsewhere")), ["vn is a link"]),
    ("soft-link-to-itself", linked("images", h5py.SoftLink("/images")), ["images is a link"]),
    ("virtual", virtual, ["vn lies in other files"]),
    ("external-storage", external, ["vn lies in other files"]),
    ("filter", filtered, ["vn", "HDF5 filter 6", "gzip"]),
    ("a-billion-triangles", announced("triangles", (10**9, 3, 3), chunks=(1000, 3, 3)), ["triangles declares"]),
    ("a-billion-pixels", announced("images", (4, 2**14, 2**14, 3), chunks=(1, 64, 64, 3)), ["images declares"]),
    (
        "a-chunk-of-a-gigabyte",
        announced("images", (2, 4, 4, 3), chunks=(2**15, 2**13, 4, 3), maxshape=(None, None, None, 3)),
        ["images is stored in chunks"],
    ),
    ("grey-images", replaced("images", np.zeros((2, 4, 4), np.float16)), ["images has shape [2, 4, 4]"]),
    ("fewer-images", replaced("images", np.zeros((1, 4, 4, 3), np.float16)), ["images have shape [1, 4, 4, 3]"]),
    ("images-of-strings", replaced("images", np.array([b"black"])), ["images has values of type"]),
    ("images-of-objects", replaced("images", ["a"], dtype=h5py.string_dtype()), ["images has values of type"]),
    ("nan", spoiled("triangles", (0, 0, 0), np.nan), ["triangles", "not finite"]),
    ("beyond-float32", replaced("fov", np.array([40.0, 1e300])), ["fov", "not finite"]),
    ("nan-image", spoiled("images", (0, 0, 0, 0), np.nan), ["images", "not finite"]),
    (
        "layers-elsewhere",
        lambda file: file.update({"layers": h5py.ExternalLink("pipe", "/")}) or None,
        ["layers is a link"],
    ),
    (
        "layers-of-another-size",
        lambda file: file.update({"layers": np.zeros((1, 2, 4, 5, 3))}) or None,
        ["layers have"],
    ),
]


@pytest.mark.parametrize(("how", "words"), [case[1:] for case in SAMPLES], ids=[case[0] for case in SAMPLES])
def test_invalid_scene(refused: Refused, data: Path, how: Callable[[h5py.File], None], words: list[str]) -> None:
    os.mkfifo(data / "scenes" / "pipe")  # opening it would block
    with h5py.File(data / "scenes" / "other.h5", "w") as file:
        file["vn"] = np.zeros((4, 3, 3), np.float32)
    with h5py.File(data / "scenes" / "000001.h5", "a") as file:
        how(file)
    refused(["data", "stats", data], ["000001.h5", *words])


def put(**fields: Any) -> Callable[[Path], None]:
    """Changes fields of the second line of the manifest."""

    def change(data: Path) -> None:
        entries = [entry._asdict() for entry in read_manifest(data)]
        entries[1] |= fields
        (data / "manifest.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))

    return change


def content(name: str, text: str | bytes) -> Callable[[Path], None]:
    """Replaces the content of a file of the dataset."""
    return lambda data: (data / name).write_bytes(text if isinstance(text, bytes) else text.encode()) and None


MANIFESTS: list[tuple[str, Callable[[Path], None], list[str]]] = [
    ("path-up", put(file="../secret.h5"), ["line 2", "'../secret.h5'"]),
    ("path-up-and-down", put(file="scenes/../../secret.h5"), ["line 2", "secret.h5"]),
    ("path-absolute", put(file="/etc/passwd"), ["line 2", "'/etc/passwd'"]),
    ("path-into-a-tar-elsewhere", put(file="../packs/000000.tar/000001.h5"), ["line 2"]),
    ("path-with-null", put(file="scenes/000001\0.h5"), ["line 2"]),
    ("path-of-a-megabyte", put(file="scenes/" + "0" * 1_000_000 + ".h5"), ["line 2"]),
    ("path-number", put(file=5), ["line 2"]),
    ("path-null", put(file=None), ["line 2"]),
    ("count-word", put(triangles="many"), ["line 2"]),
    ("count-real", put(views=2.5), ["line 2"]),
    ("count-true", put(views=True), ["line 2"]),
    ("count-negative", put(bytes=-1), ["line 2"]),
    ("count-huge", put(index=10**30), ["line 2"]),
    ("hash-short", put(sha256="abc"), ["line 2", "sha256"]),
    ("hash-list", put(sha256=["0" * 64]), ["line 2"]),
    ("rejected-list", put(rejected=[1]), ["line 2"]),
    ("rejected-words", put(rejected={"dark": "often"}), ["line 2"]),
    ("unknown-field", put(colour="red"), ["line 2", "colour"]),
    ("list", content("manifest.jsonl", "[]\n"), ["line 1"]),
    ("number", content("manifest.jsonl", "3\n"), ["line 1"]),
    ("nested", content("manifest.jsonl", "[" * 100_000 + "\n"), ["line 1"]),
    ("digits", content("manifest.jsonl", '{"index": ' + "9" * 5000 + "}\n"), ["line 1"]),
    ("binary", content("manifest.jsonl", bytes(range(256))), ["line 1"]),
    ("record-empty", content("dataset.json", ""), ["dataset.json is broken"]),
    ("record-list", content("dataset.json", "[]"), ["dataset.json is broken"]),
    ("record-nested", content("dataset.json", "[" * 100_000), ["dataset.json is broken"]),
    ("record-binary", content("dataset.json", bytes(range(256))), ["dataset.json is broken"]),
    ("record-two-megabytes", content("dataset.json", json.dumps({**RECORD, "x": "y" * 2_000_000})), ["too large"]),
    ("record-without-seed", content("dataset.json", '{"options": {}}'), ["dataset.json", "seed"]),
    ("record-options-list", content("dataset.json", json.dumps({**RECORD, "options": []})), ["options"]),
    ("record-asked-word", content("dataset.json", json.dumps({**RECORD, "asked": "all"})), ["asked"]),
    ("record-versions-list", content("dataset.json", json.dumps({**RECORD, "versions": [1]})), ["versions"]),
]


@pytest.mark.parametrize("command", [["pack"], ["merge", "--out", "whole"]])
@pytest.mark.parametrize(("how", "words"), [case[1:] for case in MANIFESTS], ids=[case[0] for case in MANIFESTS])
def test_invalid_manifest_or_record(
    refused: Refused, data: Path, tmp_path: Path, how: Callable[[Path], None], words: list[str], command: list[str]
) -> None:
    shutil.copy(data / "scenes" / "000001.h5", tmp_path / "secret.h5")
    how(data)
    refused(["data", *command, data], words)


def test_invalid_shard_in_the_record(refused: Refused, data: Path) -> None:
    write_record(data, {**RECORD, "options": {"shard": 5}})
    refused(["data", "merge", "--out", "whole", data], ["shard '5'"])


@pytest.mark.parametrize("command", [["train", "--data"], ["finetune", "--data"], ["data", "check"]])
def test_other_commands_refuse_paths_outside_the_dataset(refused: Refused, data: Path, command: list[str]) -> None:
    put(file="../secret.h5")(data)
    refused([*command, data], ["line 2", "'../secret.h5'"])
