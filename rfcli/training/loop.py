"""The training run: data in, weights out, and at any moment a state from which it goes on."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rfcli.model import RenderFormer
from rfcli.runtime.files import clear_unfinished
from rfcli.runtime.processes import ALONE, Processes
from rfcli.runtime.signals import deferred_interrupt
from rfcli.training.checkpoints import BEST, keep_model, keep_state
from rfcli.training.health import ailments, health
from rfcli.training.history import HISTORY, forget_after, record
from rfcli.training.losses import PERCEPTUAL_WEIGHT
from rfcli.training.options import TrainOptions
from rfcli.training.run import REPORT_EVERY, Run
from rfcli.training.scenes import TrainingData
from rfcli.training.stages import ends
from rfcli.training.state import STATES, TrainState, recorded
from rfcli.training.validation import Validation, validate, write_grid

GRID = "grid.png"


class Watcher(Protocol):
    """Whoever wants to see the run go on."""

    def stepped(self, step: int, losses: dict[str, float]) -> None: ...

    def validated(self, step: int, validation: Validation) -> None: ...

    def warned(self, sentence: str) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended. losses: means over the last steps of all that `Run.step` tells.
    perceptual: what that term of the loss is made of.
    interrupted: by Ctrl-C, before its last step."""

    steps: int
    losses: dict[str, float]
    perceptual: str
    validation: Validation | None
    interrupted: bool


def fit(
    model: RenderFormer,
    data: TrainingData,
    options: TrainOptions,
    watch: Watcher,
    teacher: RenderFormer | None = None,
    state: TrainState | None = None,
    processes: Processes = ALONE,
) -> Outcome:
    """Train `model` (in place, on its device) and keep its states, history and grid in `options.out`, and as the run's
    model the moving average of its weights.

    teacher: the softmax model that new attention layers imitate during the first `options.transfer` steps.
    state: where an interrupted run of the same options goes on.
    processes: those that train together, each with this call; only the first writes, validates and reports.
    """
    out, first = options.out, 0 if state is None else state.step
    if processes.first:
        for folder in (out, out / STATES, out / BEST):
            folder.mkdir(parents=True, exist_ok=True)
            clear_unfinished(folder)
        forget_after(out / HISTORY, first)
    run = Run(model, teacher, data, options, processes)
    if state is not None:
        run.restore(state)
    model.train()
    recent: list[dict[str, float]] = []
    validation, done, saved_at = None, first, time.monotonic()
    turns = ends(options.curriculum)
    with deferred_interrupt(signal.SIGINT, signal.SIGTERM) as interrupted:
        for step in range(first, options.steps):
            for fault in run.enter(step):
                watch.warned(f"a scene is left out: {fault}")
            start = time.perf_counter()
            losses = run.step(step)
            done, seconds = step + 1, time.perf_counter() - start
            run.seconds += seconds
            recent = [*recent[-REPORT_EVERY + 1 :], losses]
            due = done % options.validate_every == 0 or done in turns
            judged = run.judged() if due else None
            if processes.first:
                watch.stepped(done, losses)
                if run.bad_in_a_row == 1:
                    kept = f"; see {run.bad_step}" if run.bad_step else ""
                    watch.warned(f"step {done:,}, whose loss or gradient is not finite, was passed over{kept}.")
                if done % REPORT_EVERY == 0:
                    record(out / HISTORY, done, {**_stage(run), **losses, "seconds": round(seconds, 3)})
                if judged is not None:
                    validation = _validate(run, judged, done, recent, watch)
            overdue = processes.first and time.monotonic() - saved_at >= 60 * options.save_minutes
            stopping, overdue = processes.any(run.device, interrupted() or processes.abandoned, overdue)
            if due or stopping or overdue:
                reached = run.state(done)
                if processes.first:
                    keep_state(out, reached, options.keep)
                saved_at = time.monotonic()
            if stopping:
                break
    model.eval()
    names = recent[-1].keys() if recent else ()
    means = {name: float(np.mean([losses[name] for losses in recent if name in losses])) for name in names}
    return Outcome(done, means, run.perceptual.made_of, validation, done < options.steps)


def _validate(
    run: Run, model: RenderFormer, done: int, lately: Sequence[dict[str, float]], watch: Watcher
) -> Validation:
    """Judge the averaged weights, which `model` has, keep them, and tell of both. lately: what the last steps told."""
    options, held_out = run.options, run.data.validation
    validation = validate(model, held_out, options.resolution)
    found = health(model, held_out[0], options.resolution)
    told = {**_stage(run), "validation": validation.as_dict(), "health": found.as_dict()}
    record(options.out / HISTORY, done, told)
    told_norms = (losses for losses in reversed(lately) if "gradient_norm_triangles" in losses)
    norms = next(told_norms, {}) if options.freeze != "triangles" else {}
    for sentence in ailments(found, validation, done / options.steps, norms):
        watch.warned(f"step {done:,}: {sentence}")
    _keep_model(run, model, done, validation)
    watch.validated(done, validation)
    return validation


def _stage(run: Run) -> dict[str, int]:
    """Which stage the history is of, from 1, where the run has several."""
    return {"stage": run.stage + 1} if run.options.stages else {}


def _keep_model(run: Run, model: RenderFormer, step: int, validation: Validation) -> None:
    """The model so far, its card and a picture of what it can."""
    options = run.options
    made = {**recorded(options), "sha256 of the data's manifest": run.data.sha256, "scenes": len(run.data.train)}
    made |= {"processes": run.processes.count, "steps done": step, "hours": round(run.seconds / 3600, 2)}
    made["perceptual term"] = f"{PERCEPTUAL_WEIGHT} of {run.perceptual.made_of}"
    run.best = keep_model(model, options.out, made, validation, run.best)
    write_grid(model, run.data.validation, options.resolution, options.out / GRID)
