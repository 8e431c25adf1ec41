from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import rfcli
from rfcli.dataset.local_engine import to_sample
from rfcli.dataset.sample import FLOAT16_MAX, SCENE_FIELDS, Sample, read_sample, write_sample
from rfcli.errors import InputError
from tests.support.dataset_sources import tiny_scene


def noise_sample() -> Sample:
    return Sample(tiny_scene(3), np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float16))


def test_a_written_sample_is_read(tmp_path: Path) -> None:
    sample = noise_sample()
    write_sample(tmp_path / "a.h5", sample)
    back = read_sample(tmp_path / "a.h5")
    for name in SCENE_FIELDS:
        assert (getattr(back.scene, name) == getattr(sample.scene, name)).all()
    assert back.images.dtype == np.float16
    assert (back.images == sample.images).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_sample_is_also_a_scene_file(tmp_path: Path) -> None:
    write_sample(tmp_path / "a.h5", noise_sample())
    assert (rfcli.load_scene(tmp_path / "a.h5").material == noise_sample().scene.material).all()


def test_the_same_sample_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write_sample(tmp_path / name, noise_sample())
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 4, 4, 3)), np.zeros((2, 4, 5, 3)), np.zeros((2, 4, 4)), np.full((2, 4, 4, 3), np.nan)],
)
def test_images_that_do_not_match_the_cameras_are_refused(images: np.ndarray) -> None:
    with pytest.raises(InputError, match="images"):
        Sample(tiny_scene(0), images.astype(np.float16))


def test_a_broken_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.h5"):
        read_sample(tmp_path / "gone.h5")
    (tmp_path / "torn.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    with pytest.raises(InputError, match=r"torn\.h5"):
        read_sample(tmp_path / "torn.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["triangles"] = np.zeros((1, 3, 3))
    with pytest.raises(InputError, match=r"other\.h5 has no vn"):
        read_sample(tmp_path / "other.h5")


def test_a_flipped_bit_is_an_input_error_or_changes_values(tmp_path: Path) -> None:
    """HDF5 detects some flipped bits, with various exceptions; the hash in the manifest detects all."""
    write_sample(tmp_path / "a.h5", noise_sample())
    whole, refused = (tmp_path / "a.h5").read_bytes(), 0
    for position in range(0, len(whole), 7):
        content = bytearray(whole)
        content[position] ^= 1 << position % 8
        (tmp_path / "a.h5").write_bytes(content)
        try:
            read_sample(tmp_path / "a.h5")
        except InputError:
            refused += 1
    assert refused > 50


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sample(tmp_path / "a.h5", noise_sample())
    before = (tmp_path / "a.h5").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(h5py.Group, "create_dataset", full)
    with pytest.raises(OSError, match="No space"):
        write_sample(tmp_path / "a.h5", noise_sample())
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert (tmp_path / "a.h5").read_bytes() == before


def test_light_layers_are_optional(tmp_path: Path) -> None:
    layers = np.random.default_rng(1).random((3, 2, 4, 4, 3)).astype(np.float16)
    write_sample(tmp_path / "a.h5", replace(noise_sample(), layers=layers))
    back = read_sample(tmp_path / "a.h5")
    assert back.layers is not None
    assert (back.layers == layers).all()
    write_sample(tmp_path / "b.h5", noise_sample())
    assert read_sample(tmp_path / "b.h5").layers is None


@pytest.mark.parametrize(
    "layers", [np.zeros((3, 1, 4, 4, 3)), np.zeros((2, 4, 4, 3)), np.full((1, 2, 4, 4, 3), np.inf)]
)
def test_layers_that_do_not_match_the_images_are_refused(layers: np.ndarray) -> None:
    with pytest.raises(InputError, match="layers"):
        replace(noise_sample(), layers=layers.astype(np.float16))


def test_images_are_the_sum_of_the_layers() -> None:
    layers = np.random.default_rng(2).random((3, 2, 4, 4, 3)).astype(np.float32) * 40000
    sample = to_sample(tiny_scene(3), layers)
    assert sample.images.astype(float) == pytest.approx(np.minimum(layers.sum(axis=0), FLOAT16_MAX), rel=2e-3)
