"""Estimates the time and memory of a run from a few of its steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rfcli.runtime.memory import peak_bytes
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
        phase_seconds: Seconds of a step in each phase.
        validation_seconds: Seconds of a validation.
        peak_bytes: Peak memory of the GPU, or of this process, up to now.
        hours: Duration of the run.
    """

    parameters: int
    step_seconds: float
    phase_seconds: list[float]
    validation_seconds: float
    peak_bytes: int
    hours: float


def estimate(run: Run) -> Estimate:
    """Take a few steps of each phase, after attention transfer if possible, and validate on one scene.

    The model is changed by the steps. All processes of the run call this; only the first measures the validation.
    """
    options = run.options
    run.nonfinite = NonfiniteSteps(out=None)
    run.model.train()
    phases = options.curriculum
    phase_seconds = [
        _seconds_per_step(run, end - phase.steps, end) for phase, end in zip(phases, phase_ends(phases), strict=True)
    ]
    stepping = sum(phase.steps * each for phase, each in zip(phases, phase_seconds, strict=True))
    model, one, validation = run.averaged_model(), run.data.validation[:1], 0.0
    if model is not None:
        validation = _seconds_of(partial(validate, model, one, options.resolution)) * len(run.data.validation)
    validations = -(-options.steps // options.validate_every)
    hours = (stepping + validations * validation) / 3600
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    mean = stepping / options.steps
    return Estimate(parameters, mean, phase_seconds, validation, peak_bytes(run.device), hours)


def _seconds_per_step(run: Run, first: int, end: int) -> float:
    """Seconds per step of the phase of steps `first` to `end` - 1, measured after attention transfer if possible."""
    run.enter_phase(first)
    first = max(first, run.options.transfer) if run.options.transfer < end else first
    times = [_seconds_of(partial(run.step, step)) for step in range(first, min(first + STEPS, end))]
    return min(times[1:] or times)


def _seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
