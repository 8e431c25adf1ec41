"""Every way in which a dataset can be spoilt is found and named."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from rfcli.dataset.check import check, range_faults, strays
from rfcli.dataset.manifest import Entry, read_manifest, sha256_of, write_manifest, write_record
from rfcli.dataset.sample import Sample, write_sample
from rfcli.errors import InputError
from rfcli.scene import TriangleScene


def sound_sample(seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    corners, normal = rng.uniform(-0.5, 0.5, (4, 3, 3)), rng.normal(size=(4, 3, 3))
    material = np.tile([0.4, 0.5, 0.3, 0.2, 0.2, 0.2, 0.5, 0.5, 0.5, 1.0, 0, 0, 0], (4, 1))
    material[3, 10:] = 50.0
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    scene = TriangleScene(corners, normal, material, np.tile(np.eye(4), (2, 1, 1)), np.full(2, 40.0))
    return Sample(scene, rng.random((2, 4, 4, 3)).astype(np.float16))


def write(folder: Path, index: int, sample: Sample) -> Entry:
    file = f"scenes/{index:06d}.h5"
    write_sample(folder / file, sample)
    size = (folder / file).stat().st_size
    return Entry(index, file, 0, len(sample.scene), len(sample.images), size, sha256_of(folder / file))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenes").mkdir()
    write_record(tmp_path, {"format": 1, "seed": 0, "options": {}})
    write_manifest(tmp_path, [write(tmp_path, index, sound_sample(index)) for index in range(3)])
    return tmp_path


def faults(folder: Path) -> list[tuple[str, str]]:
    return [(fault.file, fault.what) for _, found in check(folder) for fault in found]


def test_a_sound_dataset_has_no_faults(folder: Path) -> None:
    assert [entry.index for entry, _ in check(folder)] == [0, 1, 2]
    assert faults(folder) == []
    assert strays(folder) == []


def test_missing_changed_broken_and_stray_files_are_named(folder: Path) -> None:
    (folder / "scenes" / "000000.h5").unlink()
    with h5py.File(folder / "scenes" / "000001.h5", "a") as file:
        file["images"][0, 0, 0, 0] = 3.0
    (folder / "scenes" / "000002.h5").write_bytes(b"torn")
    found = faults(folder)
    assert found[0] == ("scenes/000000.h5", "missing")
    assert found[1] == ("scenes/000001.h5", "other bytes than the manifest's hash says")
    assert [name for name, _ in found[2:]] == ["scenes/000002.h5"] * 2
    assert "cannot be read" in found[3][1]
    write_sample(folder / "scenes" / "000009.h5", sound_sample(9))
    assert [fault.file for fault in strays(folder)] == ["scenes/000009.h5"]


def test_numbers_that_are_not_finite_are_named(folder: Path) -> None:
    for field, words in (("vn", "not finite"), ("images", "not finite")):
        with h5py.File(folder / "scenes" / "000001.h5", "a") as file:
            file[field][0, 0, 0] = np.nan
        assert any(words in what for name, what in faults(folder) if name == "scenes/000001.h5")
        write_sample(folder / "scenes" / "000001.h5", sound_sample(1))


def test_a_scene_that_is_there_twice_and_one_of_other_counts(folder: Path) -> None:
    entries = read_manifest(folder)
    copy = replace(sound_sample(0), images=sound_sample(5).images)  # other images of the same triangles
    write_manifest(folder, [entries[0], write(folder, 1, copy), entries[2]._replace(views=7)])
    assert faults(folder) == [
        ("scenes/000001.h5", "the same triangles as scenes/000000.h5"),
        ("scenes/000002.h5", "4 triangles and 2 views, the manifest says 4 and 7"),
    ]


@pytest.mark.parametrize(
    ("field", "where", "value", "words"),
    [
        ("material", (0, 6), 1.5, "outside 0..1"),
        ("material", (1, 0), -0.1, "outside 0..1"),
        ("material", (2, slice(0, 6)), 0.6, "reflects more"),
        ("material", (slice(None), slice(10, 13)), 0.0, "no light"),
        ("material", (0, 11), -1.0, "negative light"),
        ("vn", (0, 0, 0), 5.0, "length 1"),
        ("c2w", (1, 0, 0), -1.0, "no rotation"),
        ("c2w", (1, 0, 0), 2.0, "no rotation"),
        ("fov", 0, 180.0, "field of view"),
    ],
)
def test_ranges(field: str, where: object, value: float, words: str) -> None:
    sample = sound_sample(0)
    array = getattr(sample.scene, field).copy()
    array[where] = value
    (found,) = range_faults(replace(sample, scene=replace(sample.scene, **{field: array})))
    assert words in found


def test_a_black_image_is_a_fault() -> None:
    images = sound_sample(0).images.copy()
    images[1] = 0
    assert list(range_faults(replace(sound_sample(0), images=images))) == ["a black image"]


def test_layers_add_up_to_the_image() -> None:
    sample = sound_sample(0)
    half = (sample.images / 2).astype(np.float16)
    assert list(range_faults(replace(sample, layers=np.stack([half, sample.images - half])))) == []
    (found,) = range_faults(replace(sample, layers=np.stack([half, half + np.float16(0.1)])))
    assert "do not add up" in found


def test_no_dataset_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no dataset"):
        list(check(tmp_path))
