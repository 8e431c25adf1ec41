"""After SIGKILL or a full disk at any moment, the same command resumes to the bytes of an undisturbed run."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.sample import Sample, sample_bytes, write_sample
from rfcli.errors import InputError
from tests.support.dataset_sources import OPTIONS, contents, make_dataset, tiny_scene
from tests.support.killed_gen_data import run_with_kills

RUN = """
import sys
from pathlib import Path
from rfcli.dataset.generate import generate_scenes, open_dataset
from tests.support.dataset_sources import NoiseSource

if __name__ == "__main__":
    folder, scenes, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    open_dataset(folder, {options!r}, 1)
    for entry in generate_scenes(folder, scenes, NoiseSource(seconds=0.02), workers):
        pass
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_three_kills_at_random_moments_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    script, scenes, rng = tmp_path / "run.py", 150, random.Random(3)
    script.write_text(RUN.format(options=OPTIONS))

    def command() -> list[str]:
        return [sys.executable, str(script), str(tmp_path / "killed"), str(scenes), str(rng.randint(2, 3))]

    assert len(list(run_with_kills(command, tmp_path / "killed", 3, rng, max_scenes=5))) == 3
    assert contents(tmp_path / "killed") == contents(make_dataset(tmp_path / "whole", scenes))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few scenes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        sys.platform == "linux"
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("only root may mount a small disk; test_generate simulates a full one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_an_input_error_and_the_run_resumes(small_disk: Path, tmp_path: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 160_000)
    with pytest.raises(InputError, match=r"data cannot be written \(No space left on device\); free some space"):
        make_dataset(small_disk / "data", 30)
    finished = read_manifest(small_disk / "data")
    assert 0 < len(finished) < 30
    (small_disk / "ballast").unlink()
    assert contents(make_dataset(small_disk / "data", 30)) == contents(make_dataset(tmp_path / "whole", 30))


def test_a_disk_full_at_any_byte_gets_a_complete_file_or_none(small_disk: Path) -> None:
    sample = Sample(tiny_scene(3), np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float16))
    whole, failures = sample_bytes(sample), 0
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


def test_a_file_truncated_by_a_power_failure_is_generated_again(tmp_path: Path) -> None:
    whole = contents(make_dataset(tmp_path, 3))
    path = tmp_path / "scenes" / "000001.h5"
    path.write_bytes(path.read_bytes()[:100])
    resumed = contents(make_dataset(tmp_path, 3))
    assert sorted(resumed) == sorted(whole)
    assert resumed["scenes/000001.h5"] == whole["scenes/000001.h5"]
