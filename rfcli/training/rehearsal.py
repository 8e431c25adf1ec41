"""What a run will need, from its first steps, of which nothing is kept."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from rfcli.training.run import Run
from rfcli.training.stages import ends
from rfcli.training.validation import validate

STEPS = 4  # the first of them warms up and is not timed


@dataclass(frozen=True)
class Rehearsal:
    """parameters; seconds of a step, in the mean and in each stage, and of a validation; peak_bytes of the process, or
    of the GPU; hours of all."""

    parameters: int
    step_seconds: float
    stage_seconds: list[float]
    validation_seconds: float
    peak_bytes: int
    hours: float


def rehearse(run: Run) -> Rehearsal:
    """Take a few steps of each stage of `run`, on images where it has such, whose model is then as much older, and
    validate on one scene; of processes that train together all do this, and the first says how long it takes."""
    options = run.options
    run.model.train()
    stages = options.curriculum
    stage_seconds = [
        _seconds_of_a_step(run, end - stage.steps, end) for stage, end in zip(stages, ends(stages), strict=True)
    ]
    stepping = sum(stage.steps * each for stage, each in zip(stages, stage_seconds, strict=True))
    judged, one, validation = run.judged(), run.data.validation[:1], 0.0
    if judged is not None:
        validation = _seconds_of(partial(validate, judged, one, options.resolution)) * len(run.data.validation)
    validations = -(-options.steps // options.validate_every)
    hours = (stepping + validations * validation) / 3600
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    mean = stepping / options.steps
    return Rehearsal(parameters, mean, stage_seconds, validation, peak_bytes(run.device), hours)


def _seconds_of_a_step(run: Run, first: int, end: int) -> float:
    """Of the steps of a stage from `first` to before `end`, behind those of attention transfer where there are such."""
    run.enter(first)
    first = max(first, run.options.transfer) if run.options.transfer < end else first
    times = [_seconds_of(partial(run.step, step)) for step in range(first, min(first + STEPS, end))]
    return min(times[1:] or times)


def peak_bytes(device: torch.device) -> int:
    """Most memory that was in use at once: of the GPU, or of this process since it began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most  # Linux counts in KiB


def _seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
