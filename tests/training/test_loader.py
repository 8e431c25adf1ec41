"""Worker processes: the same bits in any number, and what happens when they, the disk or the program fail."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import psutil
import pytest
import torch

from rfcli.dataset import streaming
from rfcli.dataset.storage import Section, Storage
from rfcli.errors import InputError
from rfcli.training import loader as module
from rfcli.training.batch import StackedScenes
from rfcli.training.loader import Loader, obstacle_to_workers, worker_count
from rfcli.training.loop import fit
from rfcli.training.run import Run
from rfcli.training.scenes import read_dataset
from rfcli.training.state import read_state
from tests.support.training_datasets import write_dataset
from tests.support.training_process import differences, last_state
from tests.support.training_scenes import RecordingCallbacks, fresh_model, train_options, training_data
from tests.training.test_batches import batches, equal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux")
SCENES, STEPS = 12, 9
CPU = torch.device("cpu")
MANY = 10**6  # steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("loader") / "data", SCENES)


@contextmanager
def loading(
    place: Path, workers: int, first: int = 0, last: int = STEPS, **changes: object
) -> Iterator[tuple[Loader, list[str]]]:
    """A loader, and the warnings that it gives."""
    warnings: list[str] = []
    loader = Loader(batches(place, steps=last, **changes), first, last, workers, CPU, warnings.append)
    try:
        yield loader, warnings
    finally:
        loader.close()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_any_number_of_workers_gives_the_same_bits(folder: Path, workers: int, threads: int) -> None:
    expected = [batches(folder)[step] for step in range(STEPS)]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with loading(folder, workers) as (loader, warnings):
            assert len(loader.processes()) == workers
            found = list(loader)
        with loading(folder, workers, first=5) as (loader, _):
            resumed = list(loader)
    finally:
        torch.set_num_threads(before)
    assert not warnings
    assert len(found) == STEPS
    assert all(map(equal, found, expected))
    assert all(map(equal, resumed, expected[5:]))


@pytest.mark.slow
def test_killed_workers_are_counted_and_replaced(folder: Path) -> None:
    expected = batches(folder, steps=60)
    with loading(folder, 2, last=60) as (loader, warnings):
        for step in range(60):
            if step in (7, 31):
                os.kill(loader.processes()[step % 2], signal.SIGKILL)
            assert equal(next(loader), expected[step])
        assert loader.lost == 2
    assert len(warnings) == 2
    assert "killed by SIGKILL" in warnings[0]
    assert "(2 lost so far)" in warnings[1]


@pytest.mark.slow
def test_workers_that_are_lost_again_and_again_end_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOST_WORKERS", 2)
    monkeypatch.setattr(module, "_prepare", lambda number: os._exit(7))
    with (
        pytest.raises(InputError, match=r"worker processes have ended .*exit code 7.*; use fewer `workers`, or 0"),
        loading(folder, 2) as (loader, warnings),
    ):
        next(loader)
    assert len(warnings) == 1  # both workers of the first start; those of the second end the run


def test_an_error_in_a_worker_is_that_of_the_loader(tmp_path: Path) -> None:
    place = write_dataset(tmp_path / "data", SCENES)
    with loading(place, 1) as (loader, _):
        next(loader)
    with loading(place, 1, last=200) as (loader, _):
        for path in sorted((place / "scenes").glob("*.h5"))[1:]:
            path.unlink()
        with pytest.raises(InputError, match=r"^8 scenes in a row cannot be read"):
            list(islice(loader, 100))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_slow_disk_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    expected, awake, read = batches(folder, batch=1), tmp_path / "awake", Storage.read
    file = expected.describe(0, int(expected.chosen(0)[1][0]))
    first = expected[0]

    def read_late(storage: Storage, sections: Sequence[Section]) -> list[bytes | OSError]:
        while not awake.exists():
            time.sleep(0.02)
        return read(storage, sections)

    def wake(warnings: list[str]) -> None:
        while not warnings:
            time.sleep(0.02)
        awake.touch()

    made = batches(folder, batch=1)
    monkeypatch.setattr(Storage, "read", read_late)
    warnings: list[str] = []
    waiting = threading.Thread(target=wake, args=(warnings,))
    waiting.start()
    with closing(Loader(made, 0, STEPS, workers, CPU, warnings.append)) as loader:
        assert equal(next(loader), first)
    waiting.join()
    assert warnings[0].startswith("waiting for the batch of step 1 for 0 seconds: ")
    assert f"reads {file}." in warnings[0]


def run_to(out: Path, place: Path, workers: int, stop: int = STEPS) -> None:
    """Start or resume a run, and interrupt it at a step."""

    class InterruptAt(RecordingCallbacks):
        def on_step(self, step: int, losses: dict[str, float]) -> None:
            if step == stop < STEPS:
                signal.raise_signal(signal.SIGINT)

    options = train_options(out, data=place, steps=STEPS, workers=workers)
    model = fresh_model(dropout=0.1)
    fit(
        model,
        read_dataset(place, options.curriculum, model.config),
        options,
        InterruptAt(),
        None,
        read_state(out, options),
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipping Gaussian Smoothing")
def test_runs_end_with_the_same_bits_whatever_makes_their_batches(folder: Path, tmp_path: Path) -> None:
    run_to(tmp_path / "none", folder, 0)
    for workers, stop in ((1, STEPS), (4, STEPS), (2, 4)):
        out = tmp_path / f"{workers}"
        run_to(out, folder, workers, stop)
        if stop < STEPS:
            run_to(out, folder, 0)
        assert not differences(last_state(tmp_path / "none"), last_state(out))


PROGRAM = """
import sys
from pathlib import Path
import torch
from rfcli.training.loader import Loader
from tests.training.test_batches import batches
made = batches(Path(sys.argv[1]), steps=10**6)
loader = Loader(made, 0, 10**6, 2, torch.device("cpu"), print)
print(*loader.processes(), flush=True)
for number, batch in enumerate(loader):
    if number == int(sys.argv[2]):
        break
loader.close()
print("done")
"""


def test_a_program_on_standard_input_has_workers(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-", str(folder), "5"], input=PROGRAM, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("done\n")


@pytest.mark.slow
def test_workers_end_with_a_killed_program(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(MANY)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in program.stdout.readline().split()]
        assert len(workers) == 2
        program.kill()
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert not alive


@pytest.mark.slow
def test_spawned_workers_give_the_same_bits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_METHOD", "spawn")
    with loading(folder, 1) as (loader, _):
        assert all(map(equal, loader, (batches(folder)[step] for step in range(STEPS))))


def test_programs_that_cannot_start_workers_are_told(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert obstacle_to_workers() is None
    monkeypatch.setattr(module, "START_METHOD", "spawn")
    main = type(sys)("__main__")
    main.__file__, main.__spec__ = "<stdin>", None  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "__main__", main)
    warnings: list[str] = []
    assert worker_count(3, training_data(), CPU, warnings.append) == 0
    assert warnings == [
        "batches are made between the steps and not by 3 worker processes, since the main program <stdin> is not a "
        "file that a new process could import."
    ]
    assert worker_count(0, training_data(), CPU, warnings.append) == 0
    assert len(warnings) == 1


def test_the_number_of_workers_suits_the_machine(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(6))
    data = read_dataset(folder, train_options(folder).curriculum, fresh_model().config)
    counts = []
    for local, device in (("1", "cpu"), ("1", "cuda"), ("3", "cuda"), ("6", "cuda"), ("6", "cpu")):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", local)
        counts.append(worker_count(None, data, torch.device(device), print))
    assert counts == [1, 5, 1, 0, 0]
    assert worker_count(None, training_data(), CPU, print) == 0  # scenes in memory
    assert worker_count(7, data, CPU, print) == 7


def test_a_batch_on_a_device_is_the_one_of_the_run(folder: Path) -> None:
    data = read_dataset(folder, train_options(folder).curriculum, fresh_model().config)
    run = Run(fresh_model(), None, data, train_options(folder))
    made = run.batches[0]
    assert isinstance(made, StackedScenes)
    assert made.images.dtype == torch.float16
    batch, share = run.batch(0)
    assert share == 1
    assert torch.equal(batch.truth, torch.log10(1 + made.images.float()))
    assert isinstance(data.train, streaming.StreamedScenes)
