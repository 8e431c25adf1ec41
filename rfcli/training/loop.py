"""The training run: data in, weights out, and at any moment a state from which it goes on."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from rfcli.atomic import sweep
from rfcli.attention.performer import Performer
from rfcli.dataset.augment import apply, draw
from rfcli.dataset.batching import epoch_batches
from rfcli.dataset.training_scene import with_views
from rfcli.errors import InputError
from rfcli.interrupt import deferred_interrupt
from rfcli.metrics.perceptual import Perceptual, perceptual_term
from rfcli.model import RenderFormer
from rfcli.model.precision import fastest_precision
from rfcli.training.average import averaged
from rfcli.training.bad_steps import MOST_IN_A_ROW, write_bad_step
from rfcli.training.batch import TrainingBatch, collate
from rfcli.training.checkpoints import BEST, explained, keep_model, keep_state
from rfcli.training.health import ailments, gradient_norms, health
from rfcli.training.history import HISTORY, forget_after, record
from rfcli.training.losses import PERCEPTUAL_WEIGHT, step_loss
from rfcli.training.options import TrainOptions
from rfcli.training.scenes import TrainingData
from rfcli.training.schedule import learning_rate
from rfcli.training.state import STATES, TrainState, recorded
from rfcli.training.transfer import attention_parameters
from rfcli.training.validation import Validation, validate, write_grid

WEIGHT_DECAY = 0.01
CLIP = 1.0
REPORT_EVERY = 10
REDRAW_EVERY = 200  # steps between new random features, where the attention has them
GRID = "grid.png"


class Watcher(Protocol):
    """Whoever wants to see the run go on."""

    def stepped(self, step: int, losses: dict[str, float]) -> None: ...

    def validated(self, step: int, validation: Validation) -> None: ...

    def warned(self, sentence: str) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended. losses: means over the last steps. perceptual: what that term of the loss is made of.
    interrupted: by Ctrl-C, before its last step."""

    steps: int
    losses: dict[str, float]
    perceptual: str
    validation: Validation | None
    interrupted: bool


def make_optimizer(model: RenderFormer, rate: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves norms, biases and tokens alone."""
    tokens = ("tri_token", "reg_tokens", "ray_map_patch_token")
    matrices = [p for name, p in model.named_parameters() if p.dim() > 1 and not name.endswith(tokens)]
    decayed = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in decayed]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


class Run:
    """One run of training: the model it changes, and everything it needs to change it by one more step."""

    def __init__(
        self, model: RenderFormer, teacher: RenderFormer | None, data: TrainingData, options: TrainOptions
    ) -> None:
        self.model, self.teacher, self.data, self.options = model, teacher, data, options
        self.device = next(model.parameters()).device
        model.transformer.recompute = model.view_transformer.transformer.recompute = options.recompute
        if options.freeze == "view":
            model.view_transformer.requires_grad_(False)
        self.optimizer = make_optimizer(model, options.rate)
        self.average = averaged(model, options.ema)
        self.perceptual: Perceptual = perceptual_term(self.device, options.lpips_weights)
        self.precision = fastest_precision(self.device)
        self.seconds = 0.0  # spent on steps
        self.best: float | None = None  # validation PSNR
        self.bad_in_a_row = 0
        self.bad_step: Path | None = None  # where the first of this sitting is kept
        self.sizes = np.array([len(scene.triangles) for scene in data.train])

    def restore(self, state: TrainState) -> None:
        """Go back to where `state` was saved."""
        self.model.load_state_dict(state.weights)
        self.average.load_state_dict(state.average)
        self.optimizer.load_state_dict(state.optimizer)
        self.precision = getattr(torch, state.precision)
        self.seconds = 3600 * state.hours
        self.best = state.best
        if state.perceptual != self.perceptual.made_of:
            raise InputError(
                f"{self.options.out} holds a run whose loss has the perceptual term {state.perceptual}, not "
                f"{self.perceptual.made_of}; give it that backbone with --lpips-weights, or use another --out."
            )

    def state(self, done: int) -> TrainState:
        """Where the run stands after `done` steps; shares the tensors of the run."""
        return TrainState(
            step=done,
            weights=self.model.state_dict(),
            average=self.average.state_dict(),
            optimizer=self.optimizer.state_dict(),
            options=recorded(self.options),
            config=self.model.config.to_dict(),
            precision=str(self.precision).removeprefix("torch."),
            perceptual=self.perceptual.made_of,
            best=self.best,
            hours=self.seconds / 3600,
        )

    def batch(self, step: int) -> TrainingBatch:
        """The augmented scenes of a step; they depend on the seed and the step alone."""
        options = self.options
        per_epoch = -(-len(self.sizes) // options.batch)
        order = epoch_batches(self.sizes, options.batch, options.seed, step // per_epoch)
        rng = np.random.default_rng([options.seed, 1, step])
        scenes = []
        for index in order[step % per_epoch]:
            scene = self.data.train[index]
            views = rng.permutation(len(scene.c2w))[: options.views]
            lights = 0 if scene.layers is None else len(scene.layers)
            augmentation = draw(rng, len(scene.triangles), options.rotations, options.translations, lights)
            scenes.append(apply(with_views(scene, views), augmentation))
        return collate(scenes, self.device)

    def step(self, step: int) -> dict[str, float]:
        """One optimiser step; the terms of its loss, by name. Gradients that are not finite are dropped."""
        torch.manual_seed(self.options.seed * 1_000_003 + step)  # of dropout, where the model has it
        self._redraw(step)
        teacher = self.teacher if step < self.options.transfer else None
        self.optimizer.zero_grad(set_to_none=True)
        batch = self.batch(step)
        terms = step_loss(self.model, teacher, batch, self.perceptual, self.precision)
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        norms = gradient_norms(self.model) if (step + 1) % REPORT_EVERY == 0 else {}
        trained = list(attention_parameters(self.model) if teacher else self.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(trained, CLIP)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step, teacher is not None)
        if bool(torch.isfinite(norm) & torch.isfinite(terms["loss"])):
            self.optimizer.step()
            self.average.update_parameters(self.model)
            self.bad_in_a_row = 0
        else:
            self._pass_over(step, teacher, batch)
        return {**{name: term.item() for name, term in terms.items()}, "gradient_norm": norm.item(), **norms}

    def _pass_over(self, step: int, teacher: RenderFormer | None, batch: TrainingBatch) -> None:
        """Count a bad step, and keep the first. Raises InputError where there are too many in a row."""
        self.bad_in_a_row += 1
        if self.bad_step is None:
            with explained(self.options.out):
                self.bad_step = write_bad_step(self.options.out, step, self.model, teacher, batch, self.precision)
        if self.bad_in_a_row > MOST_IN_A_ROW:
            raise InputError(
                f"{self.bad_in_a_row} steps in a row had no finite loss and gradient; use a lower --rate or another "
                f"--out ({self.bad_step} holds the first of them)."
            )

    def _rate(self, step: int, transferring: bool) -> float:
        options = self.options
        first, last = (0, options.transfer) if transferring else (options.transfer, options.steps)
        if self.teacher is None:
            first = 0
        warmup = min(options.warmup, (last - first) // 2)
        return learning_rate(step - first, last - first, warmup, options.rate)

    def _redraw(self, step: int) -> None:
        """New random features now and then, but not in the last fifth, where the model settles on those it keeps."""
        if step and step % REDRAW_EVERY == 0 and step < 0.8 * self.options.steps:
            for index, attention in enumerate(self.model.transformer.attentions()):
                if isinstance(attention.mechanism, Performer):
                    attention.mechanism.redraw(self.options.seed + 1000 * step + index)


def fit(
    model: RenderFormer,
    data: TrainingData,
    options: TrainOptions,
    watch: Watcher,
    teacher: RenderFormer | None = None,
    state: TrainState | None = None,
) -> Outcome:
    """Train `model` (in place, on its device) and keep its states, history and grid in `options.out`, and as the run's
    model the moving average of its weights.

    teacher: the softmax model that new attention layers imitate during the first `options.transfer` steps.
    state: where an interrupted run of the same options goes on.
    """
    out = options.out
    for folder in (out, out / STATES, out / BEST):
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
    run = Run(model, teacher, data, options)
    first = 0
    if state is not None:
        run.restore(state)
        first = state.step
    forget_after(out / HISTORY, first)
    model.train()
    recent: list[dict[str, float]] = []
    validation, done = None, first
    saved_at = time.monotonic()
    with deferred_interrupt() as interrupted:
        for step in range(first, options.steps):
            start = time.perf_counter()
            losses = run.step(step)
            done, seconds = step + 1, time.perf_counter() - start
            run.seconds += seconds
            recent = [*recent[-REPORT_EVERY + 1 :], losses]
            watch.stepped(done, losses)
            if run.bad_in_a_row == 1:
                watch.warned(
                    f"step {done:,}, whose loss or gradient is not finite, was passed over; see {run.bad_step}."
                )
            if done % REPORT_EVERY == 0:
                record(out / HISTORY, done, {**losses, "seconds": round(seconds, 3)})
            if done % options.validate_every == 0 or done == options.steps:
                validation = validate(run.average.module, data.validation, options.resolution)
                found = health(run.average.module, data.validation[0], options.resolution)
                record(out / HISTORY, done, {"validation": validation.as_dict(), "health": found.as_dict()})
                for sentence in ailments(found, validation, done / options.steps):
                    watch.warned(f"step {done:,}: {sentence}")
                _keep_model(run, done, validation)
                watch.validated(done, validation)
                due = True
            else:
                due = interrupted() or time.monotonic() - saved_at >= 60 * options.save_minutes
            if due:
                keep_state(out, run.state(done), options.keep)
                saved_at = time.monotonic()
            if interrupted():
                break
    model.eval()
    names = recent[-1].keys() if recent else ()
    means = {name: float(np.mean([losses[name] for losses in recent if name in losses])) for name in names}
    return Outcome(done, means, run.perceptual.made_of, validation, done < options.steps)


def _keep_model(run: Run, step: int, validation: Validation) -> None:
    """The model so far, its card and a picture of what it can."""
    options = run.options
    made = {**recorded(options), "steps done": step, "hours": round(run.seconds / 3600, 2)}
    made["perceptual term"] = f"{PERCEPTUAL_WEIGHT} of {run.perceptual.made_of}"
    model: RenderFormer = run.average.module
    run.best = keep_model(model, options.out, made, validation, run.best)
    write_grid(model, run.data.validation, options.resolution, options.out / GRID)
