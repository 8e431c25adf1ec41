"""Generated datasets are the same for any number of processes and any number of interruptions."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rfcli.dataset.files import sha256_of
from rfcli.dataset.generate import generate_scenes, open_dataset
from rfcli.dataset.local_engine import Source
from rfcli.dataset.manifest import MANIFEST, read_manifest
from rfcli.dataset.sample import FLOAT16_MAX, read_sample
from rfcli.errors import InputError
from tests.support.dataset_sources import OPTIONS, FullDiskSource, NoiseSource, contents


def generated(folder: Path, scenes: int, source: Source, workers: int = 1) -> list[int]:
    """Numbers of the scenes that a run generated, with worker processes."""
    open_dataset(folder, OPTIONS, 1)
    return [entry.index for entry in generate_scenes(folder, scenes, source, workers)]


@pytest.mark.slow
def test_workers_and_interruptions_change_no_byte(tmp_path: Path) -> None:
    assert generated(tmp_path / "one", 5, NoiseSource()) == [0, 1, 2, 3, 4]
    assert generated(tmp_path / "two", 5, NoiseSource(), workers=2) == [0, 1, 2, 3, 4]

    stopped = tmp_path / "stopped"
    open_dataset(stopped, OPTIONS, 1)
    run = generate_scenes(stopped, 5, NoiseSource(), 2)
    assert next(run).index == 0
    run.close()
    (stopped / "scenes" / ".000001.7.h5").write_bytes(b"unfinished")
    with open(stopped / MANIFEST, "a") as manifest:
        manifest.write('{"index": 1, "file"')
    assert generated(stopped, 2, NoiseSource()) == [1]
    assert generated(stopped, 5, NoiseSource(), workers=2) == [2, 3, 4]
    assert generated(stopped, 3, NoiseSource()) == []
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(stopped)

    entries = read_manifest(stopped)
    assert [entry.index for entry in entries] == [0, 1, 2, 3, 4]
    for entry in entries:
        assert entry.sha256 == sha256_of(stopped / entry.file)
        sample = read_sample(stopped / entry.file)
        assert len(sample.scene) == entry.triangles
        assert sample.images.max() == FLOAT16_MAX  # the source is brighter than that
    record = json.loads((stopped / "dataset.json").read_text())
    assert record["scenes"] == 5
    assert record["views"] == 10
    assert record["rejected"] == {"unlit": 0 + 1 + 2 + 3 + 4}
    assert record["options"] == OPTIONS
    assert record["versions"]["numpy"]


def test_a_lost_file_is_generated_again(tmp_path: Path) -> None:
    generated(tmp_path, 3, NoiseSource())
    whole = contents(tmp_path)
    (tmp_path / "scenes" / "000001.h5").unlink()
    assert generated(tmp_path, 3, NoiseSource()) == [1]
    assert {name: data for name, data in contents(tmp_path).items() if name != MANIFEST} == {
        name: data for name, data in whole.items() if name != MANIFEST
    }


def test_other_options_or_seeds_in_the_same_folder_are_named(tmp_path: Path) -> None:
    open_dataset(tmp_path, OPTIONS, 1)
    with pytest.raises(InputError, match="views is 2 there and 3 here"):
        open_dataset(tmp_path, {**OPTIONS, "views": 3}, 1)
    with pytest.raises(InputError, match="seed is 1 there and 2 here"):
        open_dataset(tmp_path, OPTIONS, 2)


def test_a_killed_worker_and_a_full_disk_are_input_errors_and_lose_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fewer `workers`"):
        generated(tmp_path, 4, NoiseSource(deadly=2))
    assert generated(tmp_path, 4, NoiseSource())[-2:] == [2, 3]
    with pytest.raises(InputError, match="No space left"):
        generated(tmp_path / "full", 3, FullDiskSource())
    assert [entry.index for entry in read_manifest(tmp_path / "full")] == [0]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"file.*another folder"):
        open_dataset(tmp_path / "file" / "data", OPTIONS, 1)


SLOW_RUN = """
import sys
from pathlib import Path
from rfcli.dataset.generate import generate_scenes, open_dataset
from tests.support.dataset_sources import NoiseSource

if __name__ == "__main__":
    folder = Path({folder!r})
    open_dataset(folder, {options!r}, 1)
    try:
        for entry in generate_scenes(folder, 100, NoiseSource(seconds=0.2), 2):
            print(entry.index, flush=True)
    except KeyboardInterrupt:
        sys.exit("stopped")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_keeps_finished_scenes_and_leaves_no_process(tmp_path: Path, how: int) -> None:
    script = tmp_path / "slow.py"
    folder = tmp_path / "data"
    script.write_text(SLOW_RUN.format(folder=str(folder), options=OPTIONS))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        for _ in range(3):
            run.stdout.readline()
        # Ctrl-C reaches all processes of the terminal; a kill reaches one.
        (os.killpg if how == signal.SIGINT else os.kill)(run.pid, how)
        _, errors = run.communicate(timeout=60)  # returns only when no worker holds the pipes
    if how == signal.SIGINT:
        assert errors == b"stopped\n"  # no traceback of a worker
    entries = open_dataset(folder, OPTIONS, 1)
    assert 3 <= len(entries) < 100
    assert [entry.index for entry in entries] == list(range(len(entries)))
    files = sorted(path.name for path in (folder / "scenes").iterdir())
    if how == signal.SIGINT:
        assert files == [f"{i:06d}.h5" for i in range(len(entries))]
    assert all(entry.sha256 == sha256_of(folder / entry.file) for entry in entries)
