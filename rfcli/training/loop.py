"""The training loop: steps, validations, and the files from which an interrupted run resumes."""

import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np

from rfcli.model import RenderFormer
from rfcli.runtime.files import clear_unfinished
from rfcli.runtime.processes import SINGLE_PROCESS, Processes
from rfcli.runtime.signals import deferred_interrupt
from rfcli.training.callbacks import TrainingCallbacks
from rfcli.training.health import health, health_warnings
from rfcli.training.loader import Loader, worker_count
from rfcli.training.losses import PERCEPTUAL_WEIGHT
from rfcli.training.options import TrainOptions
from rfcli.training.phases import phase_at, phase_ends
from rfcli.training.run import REPORT_EVERY, Run, tf32_products
from rfcli.training.run_folder import BEST, HISTORY, append_history, truncate_history, write_model, write_state
from rfcli.training.scenes import TrainingData
from rfcli.training.state import STATES, TrainState, recorded
from rfcli.training.validation import Validation, example_images, validate


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        steps: Steps done.
        losses: Means over the last steps of all values that `Run.step` returns.
        perceptual: Description of the perceptual term of the loss.
        validation: The last validation; None if there was none.
        interrupted: Whether the run was stopped before its last step.
    """

    steps: int
    losses: dict[str, float]
    perceptual: str
    validation: Validation | None
    interrupted: bool


def fit(
    model: RenderFormer,
    data: TrainingData,
    options: TrainOptions,
    callbacks: TrainingCallbacks,
    teacher: RenderFormer | None = None,
    state: TrainState | None = None,
    processes: Processes = SINGLE_PROCESS,
) -> Outcome:
    """Train a model, and write its averaged weights, training states and history to `options.out`.

    SIGINT and SIGTERM end the run after the current step, with its state saved.

    Args:
        model: The model, which is trained in place, on its device.
        data: Training and validation scenes.
        options: Options of the run.
        callbacks: Receives the progress.
        teacher: Softmax model that new attention layers learn from in the first `options.transfer` steps.
        state: State of an interrupted run with the same options; None = start from the first step.
        processes: The processes that train together, each with this call. Only the first one validates, writes files
            and calls `callbacks`.

    Returns:
        How the run ended.

    Raises:
        InputError: Files cannot be written, or the loss is not finite for many steps.
    """
    out, first = options.out, 0 if state is None else state.step
    if processes.first:
        for folder in (out, out / STATES, out / BEST):
            folder.mkdir(parents=True, exist_ok=True)
            clear_unfinished(folder)
        truncate_history(out / HISTORY, first)
    run = Run(model, teacher, data, options, processes)
    if state is not None:
        run.restore(state)
    model.train()
    recent: list[dict[str, float]] = []
    validation, done, saved_at = None, first, time.monotonic()
    ends = phase_ends(options.curriculum)
    warn = callbacks.on_warning if processes.first else partial(_warn_from, processes)
    workers = worker_count(options.workers, data, run.device, warn)
    with (
        tf32_products(run.device),
        deferred_interrupt(signal.SIGINT, signal.SIGTERM) as interrupted,
        closing(Loader(run.batches, first, options.steps, workers, run.device, warn)) as loader,
    ):
        for step in range(first, options.steps):
            start = time.perf_counter()
            made = next(loader)
            for fault in data.skip(phase_at(options.curriculum, step), made.faults):
                warn(f"a scene is skipped: {fault} ({len(data.skipped)} so far)")
            losses = run.step(step, made, waited=time.perf_counter() - start)
            done, seconds = step + 1, time.perf_counter() - start
            run.seconds += seconds
            recent = [*recent[-REPORT_EVERY + 1 :], losses]
            due = done % options.validate_every == 0 or done in ends
            averaged = run.averaged_model() if due else None
            if processes.first:
                _report_step(run, done, losses, seconds, callbacks)
                if averaged is not None:
                    validation = _validate(run, averaged, done, recent, callbacks)
            overdue = processes.first and time.monotonic() - saved_at >= 60 * options.save_minutes
            flags = (interrupted() or processes.orphaned, overdue)
            # Processes agree on this in every step, but GPUs would have to wait for each other.
            agreeing = not run.delayed or due or done % REPORT_EVERY == 0 or processes.count == 1
            stopping, overdue = processes.any(run.device, *flags) if agreeing else (False, False)
            if due or stopping or overdue:
                reached = run.state(done)
                if processes.first:
                    write_state(out, reached, options.keep)
                saved_at = time.monotonic()
            if stopping:
                break
    run.read_numbers()
    model.eval()
    names = recent[-1].keys() if recent else ()
    means = {name: float(np.mean([losses[name] for losses in recent if name in losses])) for name in names}
    return Outcome(done, means, run.perceptual.description, validation, done < options.steps)


def _warn_from(processes: Processes, message: str) -> None:
    """Print a warning of a process that does not call the callbacks."""
    print(f"process {processes.rank + 1} of {processes.count}: {message}", file=sys.stderr, flush=True)


def _report_step(run: Run, done: int, losses: dict[str, float], seconds: float, callbacks: TrainingCallbacks) -> None:
    """Call the callbacks for a step, and write its losses to the history."""
    callbacks.on_step(done, losses)
    if run.nonfinite.in_a_row == 1:
        file = f"; see {run.nonfinite.file}" if run.nonfinite.file else ""
        callbacks.on_warning(f"step {done:,} was skipped: its loss or gradient is not finite{file}.")
    if done % REPORT_EVERY == 0:
        values = {**_phase_number(run, done - 1), **losses, "seconds": round(seconds, 3)}
        append_history(run.options.out / HISTORY, done, values)


def _validate(
    run: Run, model: RenderFormer, done: int, recent: Sequence[dict[str, float]], callbacks: TrainingCallbacks
) -> Validation:
    """Validate the averaged model, check its health, write it, and report all of it."""
    options, held_out = run.options, run.data.validation
    validation = validate(model, held_out, options.resolution)
    found = health(model, held_out[0], options.resolution)
    values = {**_phase_number(run, done - 1), "validation": validation.as_dict(), "health": found.as_dict()}
    append_history(options.out / HISTORY, done, values)
    for message in health_warnings(found, validation, done / options.steps, _stage_norms(run, recent)):
        callbacks.on_warning(f"step {done:,}: {message}")
    run.best = write_model(model, options.out, _record(run, done), validation, run.best)
    callbacks.on_validation(done, validation, example_images(model, held_out, options.resolution))
    return validation


def _stage_norms(run: Run, recent: Sequence[dict[str, float]]) -> dict[str, float]:
    """The last measured gradient norms by stage; empty if there are none or the view-independent stage is frozen."""
    measured = (losses for losses in reversed(recent) if "gradient_norm_triangles" in losses)
    return next(measured, {}) if run.options.freeze != "triangles" else {}


def _phase_number(run: Run, step: int) -> dict[str, int]:
    """The phase for the history, from 1, if the run has phases; its key `stage` is the former name of phases."""
    return {"stage": phase_at(run.options.curriculum, step) + 1} if run.options.phases else {}


def _record(run: Run, step: int) -> dict[str, object]:
    """The entries of the run in the model card."""
    data = {
        "sha256 of the data's manifest": run.data.sha256,
        "scenes": len(run.data.scenes(phase_at(run.options.curriculum, step - 1))),
    }
    progress = {"processes": run.processes.count, "steps done": step, "hours": round(run.seconds / 3600, 2)}
    perceptual = {"perceptual term": f"{PERCEPTUAL_WEIGHT} of {run.perceptual.description}"}
    return {**recorded(run.options), **data, **progress, **perceptual}
