"""Estimates the time and memory of a run from a few of its steps."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

import psutil

from rfcli.runtime.memory import peak_bytes
from rfcli.training.loader import PREFETCHED, Loader
from rfcli.training.nonfinite_steps import NonfiniteSteps
from rfcli.training.phases import phase_ends
from rfcli.training.run import Run
from rfcli.training.validation import validate

STEPS = 4  # per phase; the first of them warms up and is not timed


@dataclass(frozen=True)
class Estimate:
    """Time and memory of a run.

    Attributes:
        parameters: Number of parameters of the model.
        step_seconds: Mean seconds of a step over the whole run.
        phase_seconds: Seconds of a step in each phase, with the time spent waiting for its batch.
        batch_seconds: Seconds that one process takes to make a batch, in each phase.
        waiting: Share of the time of a step that is spent waiting for its batch, in each phase.
        workers: Number of worker processes.
        worker_bytes: Memory of all worker processes, without what they share with the training process.
        validation_seconds: Seconds of a validation.
        peak_bytes: Peak memory of the GPU, or of this process, up to now.
        hours: Duration of the run.
    """

    parameters: int
    step_seconds: float
    phase_seconds: list[float]
    batch_seconds: list[float]
    waiting: list[float]
    workers: int
    worker_bytes: int
    validation_seconds: float
    peak_bytes: int
    hours: float


def estimate(run: Run, workers: int = 0) -> Estimate:
    """Take a few steps of each phase, after attention transfer if possible, and validate on one scene.

    The model is changed by the steps. All processes of the run call this; only the first measures the validation.

    Args:
        run: The run.
        workers: Number of worker processes that would make its batches.
    """
    options = run.options
    run.nonfinite = NonfiniteSteps(out=None)
    run.model.train()
    phases = options.curriculum
    measured = [
        _seconds_per_step(run, end - phase.steps, end) for phase, end in zip(phases, phase_ends(phases), strict=True)
    ]
    # Workers make batches while the steps run; what they do not manage in that time is waited for.
    waits = [max(0.0, making / workers - step) if workers else making for step, making in measured]
    phase_seconds = [step + wait for (step, _), wait in zip(measured, waits, strict=True)]
    stepping = sum(phase.steps * each for phase, each in zip(phases, phase_seconds, strict=True))
    model, one, validation = run.averaged_model(), run.data.validation[:1], 0.0
    if model is not None:
        validation = _seconds_of(partial(validate, model, one, options.resolution)) * len(run.data.validation)
    validations = -(-options.steps // options.validate_every)
    return Estimate(
        parameters=sum(parameter.numel() for parameter in run.model.parameters()),
        step_seconds=stepping / options.steps,
        phase_seconds=phase_seconds,
        batch_seconds=[making for _, making in measured],
        waiting=[wait / each for wait, each in zip(waits, phase_seconds, strict=True)],
        workers=workers,
        worker_bytes=_worker_bytes(run, workers) if workers else 0,
        validation_seconds=validation,
        peak_bytes=peak_bytes(run.device),
        hours=(stepping + validations * validation) / 3600,
    )


def _seconds_per_step(run: Run, first: int, end: int) -> tuple[float, float]:
    """Seconds of a step and of making its batch, in the phase of steps `first` to `end` - 1.

    Measured after attention transfer if possible.
    """
    first = max(first, run.options.transfer) if run.options.transfer < end else first
    times = []
    for step in range(first, min(first + STEPS, end)):
        start = time.perf_counter()
        made = run.batches[step]
        making = time.perf_counter() - start
        times.append((_seconds_of(partial(run.step, step, made)), making))
    steps, batches = zip(*(times[1:] or times), strict=True)
    return min(steps), min(batches)


def _worker_bytes(run: Run, workers: int) -> int:
    """Memory of the workers after batches of the last phase, without what they share; computed from one of them."""
    end = run.options.steps  # further steps have batches, too, and belong to the last phase
    steps = (end, end + 10 * PREFETCHED)  # more than are taken, since workers end with the last one
    with closing(Loader(run.batches, *steps, 1, run.device, on_warning=lambda message: None)) as loader:
        for _ in islice(loader, PREFETCHED):
            pass
        return workers * sum(int(psutil.Process(pid).memory_full_info().uss) for pid in loader.processes())


def _seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
