"""Datasets are the same whatever the number of processes and however often they were stopped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rfcli.dataset.generate import generate, open_dataset
from rfcli.dataset.manifest import MANIFEST, read_manifest, sha256_of
from rfcli.dataset.processes import Source
from rfcli.dataset.sample import HALF_MAX, read_sample
from rfcli.errors import InputError
from tests.support.dataset_sources import FullDisk, Tiny

OPTIONS = {"views": 2, "triangles": [3, 6]}


def make(folder: Path, scenes: int, source: Source, workers: int = 1, seed: int = 1) -> list[int]:
    open_dataset(folder, OPTIONS, seed)
    return [entry.index for entry in generate(folder, scenes, source, workers)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_workers_and_stops_change_nothing(tmp_path: Path) -> None:
    assert make(tmp_path / "one", 5, Tiny()) == [0, 1, 2, 3, 4]
    assert make(tmp_path / "two", 5, Tiny(), workers=2) == [0, 1, 2, 3, 4]

    stopped = tmp_path / "stopped"
    open_dataset(stopped, OPTIONS, 1)
    run = generate(stopped, 5, Tiny(), 2)
    assert next(run).index == 0
    run.close()
    (stopped / "scenes" / ".000001.7.h5").write_bytes(b"unfinished")
    with open(stopped / MANIFEST, "a") as manifest:
        manifest.write('{"index": 1, "file"')
    assert make(stopped, 2, Tiny()) == [1]
    assert make(stopped, 5, Tiny(), workers=2) == [2, 3, 4]
    assert make(stopped, 3, Tiny()) == []
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(stopped)

    entries = read_manifest(stopped)
    assert [entry.index for entry in entries] == [0, 1, 2, 3, 4]
    for entry in entries:
        assert entry.sha256 == sha256_of(stopped / entry.file)
        sample = read_sample(stopped / entry.file)
        assert len(sample.scene) == entry.triangles
        assert sample.images.max() == HALF_MAX  # brighter than float16 holds
    record = json.loads((stopped / "dataset.json").read_text())
    assert record["scenes"] == 5
    assert record["views"] == 10
    assert record["rejected"] == {"unlit": 0 + 1 + 2 + 3 + 4}
    assert record["options"] == OPTIONS
    assert record["versions"]["numpy"]


def test_a_lost_file_is_made_again(tmp_path: Path) -> None:
    make(tmp_path, 3, Tiny())
    whole = contents(tmp_path)
    (tmp_path / "scenes" / "000001.h5").unlink()
    assert make(tmp_path, 3, Tiny()) == [1]
    assert {name: data for name, data in contents(tmp_path).items() if name != MANIFEST} == {
        name: data for name, data in whole.items() if name != MANIFEST
    }


def test_another_option_or_seed_in_the_same_folder_is_named(tmp_path: Path) -> None:
    open_dataset(tmp_path, OPTIONS, 1)
    with pytest.raises(InputError, match="views is 2 there and 3 here"):
        open_dataset(tmp_path, {**OPTIONS, "views": 3}, 1)
    with pytest.raises(InputError, match="seed is 1 there and 2 here"):
        open_dataset(tmp_path, OPTIONS, 2)


def test_a_killed_worker_and_a_full_disk_are_sentences_and_lose_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fewer --workers"):
        make(tmp_path, 4, Tiny(deadly=2))
    assert make(tmp_path, 4, Tiny())[-2:] == [2, 3]
    with pytest.raises(InputError, match="No space left"):
        make(tmp_path / "full", 3, FullDisk())
    assert [entry.index for entry in read_manifest(tmp_path / "full")] == [0]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"file.*--out"):
        open_dataset(tmp_path / "file" / "data", OPTIONS, 1)


SLOW = """
import sys
from pathlib import Path
from rfcli.dataset.generate import generate, open_dataset
from tests.support.dataset_sources import Tiny

if __name__ == "__main__":
    folder = Path({folder!r})
    open_dataset(folder, {options!r}, 1)
    try:
        for entry in generate(folder, 100, Tiny(seconds=0.2), 2):
            print(entry.index, flush=True)
    except KeyboardInterrupt:
        sys.exit("stopped")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_keeps_what_is_finished_and_leaves_no_process(tmp_path: Path, how: int) -> None:
    script = tmp_path / "slow.py"
    folder = tmp_path / "data"
    script.write_text(SLOW.format(folder=str(folder), options=OPTIONS))
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
        # Ctrl-C reaches all processes of the terminal; a kill hits one
        (os.killpg if how == signal.SIGINT else os.kill)(run.pid, how)
        _, errors = run.communicate(timeout=60)  # ends only when no worker holds the pipes any more
    if how == signal.SIGINT:
        assert errors == b"stopped\n"  # and no traceback of a worker
    entries = open_dataset(folder, OPTIONS, 1)
    assert 3 <= len(entries) < 100
    assert [entry.index for entry in entries] == list(range(len(entries)))
    files = sorted(path.name for path in (folder / "scenes").iterdir())
    if how == signal.SIGINT:
        assert files == [f"{i:06d}.h5" for i in range(len(entries))]
    assert all(entry.sha256 == sha256_of(folder / entry.file) for entry in entries)
