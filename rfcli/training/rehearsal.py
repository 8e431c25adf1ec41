"""What a run will need, from its first steps, of which nothing is kept."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from rfcli.training.run import Run
from rfcli.training.validation import validate

STEPS = 4  # the first of them warms up and is not timed


@dataclass(frozen=True)
class Rehearsal:
    """parameters; seconds of a step and of a validation; peak_bytes of the process, or of the GPU; hours of all."""

    parameters: int
    step_seconds: float
    validation_seconds: float
    peak_bytes: int
    hours: float


def rehearse(run: Run) -> Rehearsal:
    """Take a few steps of `run`, on images where it has such, whose model is then as much older, and validate on one
    scene."""
    options = run.options
    run.model.train()
    first = options.transfer if options.transfer < options.steps else 0
    steps = range(first, min(first + STEPS, options.steps))
    times = [_seconds_of(partial(run.step, step)) for step in steps]
    step_seconds = min(times[1:] or times)
    one = run.data.validation[:1]
    validation = _seconds_of(partial(validate, run.model, one, options.resolution)) * len(run.data.validation)
    validations = -(-options.steps // options.validate_every)
    hours = (options.steps * step_seconds + validations * validation) / 3600
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    return Rehearsal(parameters, step_seconds, validation, peak_bytes(run.device), hours)


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
