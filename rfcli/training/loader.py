"""Batches made ahead by worker processes, in the order of the steps.

torch's DataLoader starts the workers, hands them the steps in turn, and passes tensors on through shared memory. A
library for streamed shards (webdataset, torchdata) would read packs from front to back and shuffle within a buffer; the
order would then depend on the number of workers, and a resumed run would have to read up to its place. Here a batch is
a function of its step, so workers share nothing, and a new one can take the place of a lost one at any step.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, get_worker_info

from rfcli.dataset.streaming import StreamedScenes
from rfcli.errors import InputError
from rfcli.runtime.signals import exit_with_parent
from rfcli.training.batch import StackedScenes
from rfcli.training.batches import Batches
from rfcli.training.scenes import TrainingData

PREFETCHED = 2  # batches per worker that are made ahead
ENDING_SECONDS = 5.0  # that a killed process takes to end, at most
MAX_LOST_WORKERS = 5  # in one session; then something is wrong with the machine
PATIENCE_SECONDS = 20.0  # of waiting for a batch until the first message; then twice as long each
# A forked worker starts at once, shares the memory of the dataset, and does not import the main program, so that
# notebooks and programs read from standard input have workers too.
START_METHOD = "fork" if sys.platform == "linux" else "spawn"
MAX_WORKERS_PER_GPU = 8


def automatic_workers(device: torch.device) -> int:
    """Number of worker processes that suits the machine: one where the CPU trains, more beside a GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)) - 1
    return max(0, min(free, MAX_WORKERS_PER_GPU if device.type == "cuda" else 1))


def worker_count(asked: int | None, data: TrainingData, device: torch.device, on_warning: Callable[[str], None]) -> int:
    """The number of worker processes to start.

    Args:
        asked: The number that was asked for; None = as many as suit the machine, none for scenes in memory.
        data: The scenes.
        device: The device that trains.
        on_warning: Receives a sentence if this program can start none.
    """
    count = asked
    if count is None:
        count = automatic_workers(device) if isinstance(data.train, StreamedScenes) else 0
    obstacle = obstacle_to_workers() if count else None
    if obstacle:
        on_warning(f"batches are made between the steps and not by {count} worker processes, since {obstacle}.")
    return 0 if obstacle else count


def obstacle_to_workers() -> str | None:
    """Why this program cannot start worker processes, in words; None if it can."""
    if multiprocessing.current_process().daemon:
        return "this process is itself a worker of multiprocessing"
    if START_METHOD == "fork":
        return None
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if getattr(main, "__spec__", None) is None and file is not None and not Path(file).exists():
        return f"the main program {file} is not a file that a new process could import"
    return None


class Loader:
    """Iterates over the batches of steps `first` to `last` - 1.

    Args:
        batches: Makes the batches.
        first: First step.
        last: End of the steps.
        workers: Number of worker processes; 0 = the batches are made by this process when they are needed.
        device: The device that trains.
        on_warning: Receives a sentence if a batch is late or a worker was lost.
    """

    def __init__(
        self,
        batches: Batches,
        first: int,
        last: int,
        workers: int,
        device: torch.device,
        on_warning: Callable[[str], None],
    ) -> None:
        self._batches, self._next, self._last = batches, first, last
        self._workers, self._pinned, self._on_warning = workers, device.type == "cuda", on_warning
        self.lost = 0  # workers that ended before their time
        if first < last:
            batches.chosen(first)  # the order of the epoch, which forked workers then need not compute
        batches.reading = torch.full((max(1, workers), 2), -1, dtype=torch.int64)
        batches.reading.share_memory_()  # type: ignore[no-untyped-call]
        self._steps = self._start()

    def __iter__(self) -> Iterator[StackedScenes]:
        return self

    def __next__(self) -> StackedScenes:
        while True:
            try:
                with self._watched():
                    made: StackedScenes | InputError = next(self._steps)
            except (RuntimeError, EOFError, OSError) as error:
                if not (self._workers and self._is_loss(error)):
                    raise
                self._replace_lost(error)
                continue
            if isinstance(made, InputError):
                raise made
            self._next += 1
            return made

    def processes(self) -> list[int]:
        """Ids of the worker processes."""
        return [worker.pid for worker in getattr(self._steps, "_workers", ()) if worker.pid is not None]

    def close(self) -> None:
        """End the workers."""
        if self._workers and hasattr(self._steps, "_shutdown_workers"):
            self._steps._shutdown_workers()

    def _start(self) -> Any:
        options: dict[str, Any] = {}
        if self._workers:
            context = multiprocessing.get_context(START_METHOD)
            options = {"prefetch_factor": PREFETCHED, "multiprocessing_context": context, "worker_init_fn": _prepare}
        # torch installs a handler that raises an error wherever the program is when a worker ends. Without it, the loss
        # is noticed within seconds of waiting for that worker, at a place from which the run can continue.
        before = signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") else None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This process .* is multi-threaded, use of fork", DeprecationWarning)
            warnings.filterwarnings("ignore", "This DataLoader will create .* worker processes", UserWarning)
            loader = DataLoader(
                _Guarded(self._batches),
                batch_size=None,
                sampler=range(self._next, self._last),
                num_workers=self._workers,
                collate_fn=_unchanged,
                pin_memory=self._pinned,
                generator=torch.Generator(),  # of its own: a step's random numbers must not depend on the workers
                **options,
            )
            steps = iter(loader)
        if self._workers and before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, before)
        return steps

    def _is_loss(self, error: Exception) -> bool:
        """Whether an error of the DataLoader means that a worker has ended.

        A worker hands over its shared memory when the batch is taken, so that also a broken connection means this.
        """
        if isinstance(error, RuntimeError):
            return "DataLoader worker" in str(error) and "exited unexpectedly" in str(error)
        ended = time.monotonic() + ENDING_SECONDS
        while time.monotonic() < ended:
            if any(worker.exitcode is not None for worker in self._steps._workers):
                return True
            time.sleep(0.01)
        return False

    def _replace_lost(self, error: Exception) -> None:
        """Start new workers at the step whose batch is missing. Raises InputError if too many were lost."""
        ended = [worker for worker in self._steps._workers if worker.exitcode is not None]
        self.lost += max(1, len(ended))
        reasons = ", ".join(_ending(worker.pid, worker.exitcode) for worker in ended) or str(error)
        self.close()
        if self.lost > MAX_LOST_WORKERS:
            raise InputError(
                f"{self.lost} worker processes have ended while they made batches ({reasons}), probably for lack of "
                "memory; use fewer `workers`, or 0, and run the same command again, which resumes from the last state."
            ) from error
        self._on_warning(
            f"a worker process that made batches has ended ({reasons}); new ones go on at step {self._next + 1:,} "
            f"({self.lost} lost so far)."
        )
        self._batches.reading.fill_(-1)
        self._steps = self._start()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Says what is waited for if the block takes long."""
        done = threading.Event()
        timer = threading.Timer(PATIENCE_SECONDS, self._report, (done, time.monotonic()))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            done.set()
            timer.cancel()

    def _report(self, done: threading.Event, since: float) -> None:
        wait = PATIENCE_SECONDS
        while not done.is_set():
            seconds = time.monotonic() - since
            self._on_warning(
                f"waiting for the batch of step {self._next + 1:,} for {seconds:.0f} seconds: {self._activity()}."
            )
            done.wait(wait)
            wait *= 2

    def _activity(self) -> str:
        """What is being read, in words."""
        files = []
        for number, (phase, place) in enumerate(self._batches.reading.tolist()):
            if place >= 0:
                who = f"worker {number + 1} " if self._workers else ""
                files.append(f"{who}reads {self._batches.describe(phase, place)}")
        return "; ".join(files) or ("no worker is reading" if self._workers else "the batch is being computed")


class _Guarded(torch.utils.data.Dataset[Any]):
    """Batches whose InputError is a result: torch would raise it again with the traceback of the worker as message."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __getitem__(self, step: int) -> StackedScenes | InputError:
        try:
            return self.batches[step]
        except InputError as error:
            return error


def _unchanged(made: Any) -> Any:
    return made


def _prepare(_number: int) -> None:
    """Start of a worker: Ctrl-C and SIGTERM are the trainer's affair, and it ends with the trainer."""
    assert get_worker_info() is not None
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    exit_with_parent()


def _ending(pid: int | None, code: int) -> str:
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"process {pid}: {how}"
