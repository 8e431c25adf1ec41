"""Kills and full disks at any moment: the same command goes on, and the files are those of an undisturbed run."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rfcli.dataset.generate import generate, open_dataset
from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.sample import Sample, hdf5_of, write_sample
from rfcli.errors import InputError
from tests.dataset.test_generate import contents
from tests.support.dataset_sources import Tiny, at_once, tiny_scene
from tests.support.killed_gen_data import survive

OPTIONS = {"views": 2}
RUN = """
import sys
from pathlib import Path
from rfcli.dataset.generate import generate, open_dataset
from tests.support.dataset_sources import Tiny

if __name__ == "__main__":
    folder, scenes, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    open_dataset(folder, {options!r}, 1)
    for entry in generate(folder, scenes, Tiny(seconds=0.02), workers):
        pass
"""


def make(folder: Path, scenes: int) -> dict[str, bytes]:
    open_dataset(folder, OPTIONS, 1)
    list(generate(folder, scenes, Tiny(), 1, engine=at_once))
    return contents(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on POSIX")
def test_three_kills_at_random_moments_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    script, scenes, rng = tmp_path / "run.py", 150, random.Random(3)
    script.write_text(RUN.format(options=OPTIONS))

    def command() -> list[str]:
        return [sys.executable, str(script), str(tmp_path / "killed"), str(scenes), str(rng.randint(2, 3))]

    assert len(list(survive(command, tmp_path / "killed", 3, rng, ahead=5))) == 3
    assert contents(tmp_path / "killed") == make(tmp_path / "whole", scenes)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a few scenes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        sys.platform == "linux"
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("only root may mount a small disk; test_generate has one that says it is full")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(small_disk: Path, tmp_path: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 160_000)
    with pytest.raises(InputError, match=r"data cannot be written \(No space left on device\); free some space"):
        make(small_disk / "data", 30)
    finished = read_manifest(small_disk / "data")
    assert 0 < len(finished) < 30
    (small_disk / "ballast").unlink()
    assert make(small_disk / "data", 30) == make(tmp_path / "whole", 30)


def test_a_disk_that_is_full_at_any_byte_gets_a_whole_file_or_none(small_disk: Path) -> None:
    sample = Sample(tiny_scene(3), np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float16))
    whole, failures = hdf5_of(sample), 0
    for free in range(0, 80_000, 4096):
        (small_disk / "ballast").write_bytes(b"x" * (256 * 1024 - free))
        if free < len(whole):
            with pytest.raises(OSError, match="No space left"):
                write_sample(small_disk / "a.h5", sample)
            failures += 1
            assert [path.name for path in small_disk.iterdir()] == ["ballast"]
        else:
            write_sample(small_disk / "a.h5", sample)
            assert (small_disk / "a.h5").read_bytes() == whole
        for path in small_disk.iterdir():
            path.unlink()
    assert 5 < failures < 15


def test_a_file_cut_short_by_a_power_failure_is_made_again(tmp_path: Path) -> None:
    whole = make(tmp_path, 3)
    path = tmp_path / "scenes" / "000001.h5"
    path.write_bytes(path.read_bytes()[:100])
    again = make(tmp_path, 3)
    assert sorted(again) == sorted(whole)
    assert again["scenes/000001.h5"] == whole["scenes/000001.h5"]
