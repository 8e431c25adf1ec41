"""Verification of datasets: every fault is found and named."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from rfcli.dataset.check import check_dataset, range_problems, unlisted_files
from rfcli.dataset.manifest import read_manifest, write_manifest
from rfcli.dataset.record import write_record
from rfcli.dataset.sample import write_sample
from rfcli.errors import InputError
from tests.support.dataset_sources import valid_sample, write_entry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenes").mkdir()
    write_record(tmp_path, {"format": 1, "seed": 0, "options": {}})
    write_manifest(tmp_path, [write_entry(tmp_path, index, valid_sample(index)) for index in range(3)])
    return tmp_path


def problems(folder: Path) -> list[tuple[str, str]]:
    return [(fault.file, fault.problem) for _, found in check_dataset(folder) for fault in found]


def test_a_valid_dataset_has_no_faults(folder: Path) -> None:
    assert [entry.index for entry, _ in check_dataset(folder)] == [0, 1, 2]
    assert problems(folder) == []
    assert unlisted_files(folder) == []


def test_missing_changed_broken_and_unlisted_files_are_named(folder: Path) -> None:
    (folder / "scenes" / "000000.h5").unlink()
    with h5py.File(folder / "scenes" / "000001.h5", "a") as file:
        file["images"][0, 0, 0, 0] = 3.0
    (folder / "scenes" / "000002.h5").write_bytes(b"torn")
    found = problems(folder)
    assert found[0] == ("scenes/000000.h5", "missing")
    assert found[1] == ("scenes/000001.h5", "content does not match the hash in the manifest")
    assert [name for name, _ in found[2:]] == ["scenes/000002.h5"] * 2
    assert "cannot be read" in found[3][1]
    write_sample(folder / "scenes" / "000009.h5", valid_sample(9))
    assert [fault.file for fault in unlisted_files(folder)] == ["scenes/000009.h5"]


def test_values_that_are_not_finite_are_named(folder: Path) -> None:
    for field, words in (("vn", "not finite"), ("images", "not finite")):
        with h5py.File(folder / "scenes" / "000001.h5", "a") as file:
            file[field][0, 0, 0] = np.nan
        assert any(words in problem for name, problem in problems(folder) if name == "scenes/000001.h5")
        write_sample(folder / "scenes" / "000001.h5", valid_sample(1))


def test_duplicate_scenes_and_wrong_counts_are_named(folder: Path) -> None:
    entries = read_manifest(folder)
    copy = replace(valid_sample(0), images=valid_sample(5).images)  # the same triangles with other images
    write_manifest(folder, [entries[0], write_entry(folder, 1, copy), entries[2]._replace(views=7)])
    assert problems(folder) == [
        ("scenes/000001.h5", "the same triangles as scenes/000000.h5"),
        ("scenes/000002.h5", "4 triangles and 2 views; the manifest lists 4 and 7"),
    ]


@pytest.mark.parametrize(
    ("field", "where", "value", "words"),
    [
        ("material", (0, 6), 1.5, "outside 0..1"),
        ("material", (1, 0), -0.1, "outside 0..1"),
        ("material", (2, slice(0, 6)), 0.6, "reflects more"),
        ("material", (slice(None), slice(10, 13)), 0.0, "no light"),
        ("material", (0, 11), -1.0, "negative emission"),
        ("vn", (0, 0, 0), 5.0, "length 1"),
        ("c2w", (1, 0, 0), -1.0, "not a rotation"),
        ("c2w", (1, 0, 0), 2.0, "not a rotation"),
        ("fov", 0, 180.0, "field of view"),
    ],
)
def test_values_out_of_range_are_named(field: str, where: object, value: float, words: str) -> None:
    sample = valid_sample(0)
    array = getattr(sample.scene, field).copy()
    array[where] = value
    (found,) = range_problems(replace(sample, scene=replace(sample.scene, **{field: array})))
    assert words in found


def test_a_black_image_is_a_fault() -> None:
    images = valid_sample(0).images.copy()
    images[1] = 0
    assert list(range_problems(replace(valid_sample(0), images=images))) == ["a black image"]


def test_light_layers_must_add_up_to_the_image() -> None:
    sample = valid_sample(0)
    half = (sample.images / 2).astype(np.float16)
    assert list(range_problems(replace(sample, layers=np.stack([half, sample.images - half])))) == []
    (found,) = range_problems(replace(sample, layers=np.stack([half, half + np.float16(0.1)])))
    assert "sum of the light layers" in found


def test_a_folder_without_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no dataset"):
        list(check_dataset(tmp_path))
