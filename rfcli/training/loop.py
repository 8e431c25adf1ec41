"""The training run: data in, weights out, and at any moment a state from which it goes on."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from rfcli.attention.performer import Performer
from rfcli.dataset.augment import apply, draw
from rfcli.dataset.batching import epoch_batches
from rfcli.dataset.training_scene import with_views
from rfcli.interrupt import deferred_interrupt
from rfcli.metrics.perceptual import Perceptual, perceptual_term
from rfcli.model import RenderFormer, save_checkpoint
from rfcli.model.precision import fastest_precision
from rfcli.training.batch import TrainingBatch, collate
from rfcli.training.card import model_card
from rfcli.training.history import HISTORY, forget_after, record
from rfcli.training.losses import image_loss
from rfcli.training.optimizer import make_optimizer
from rfcli.training.options import TrainOptions
from rfcli.training.scenes import TrainingData
from rfcli.training.schedule import learning_rate
from rfcli.training.state import STATE, TrainState, recorded, save_state
from rfcli.training.transfer import attention_parameters, transfer_loss
from rfcli.training.validation import Validation, validate, write_grid

CLIP = 1.0
REPORT_EVERY = 10
REDRAW_EVERY = 200  # steps between new random features, where the attention has them
GRID = "grid.png"


class Watcher(Protocol):
    """Whoever wants to see the run go on."""

    def stepped(self, step: int, losses: dict[str, float]) -> None: ...

    def validated(self, step: int, validation: Validation) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended. losses: means over the last steps. perceptual: the name of that term of the loss.
    interrupted: by Ctrl-C, before its last step."""

    steps: int
    losses: dict[str, float]
    perceptual: str
    validation: Validation | None
    interrupted: bool


class Run:
    """One run of training: the model it changes, and everything it needs to change it by one more step."""

    def __init__(
        self, model: RenderFormer, teacher: RenderFormer | None, data: TrainingData, options: TrainOptions
    ) -> None:
        self.model, self.teacher, self.data, self.options = model, teacher, data, options
        self.device = next(model.parameters()).device
        self.optimizer = make_optimizer(model, options.optimizer, options.rate)
        self.perceptual: Perceptual = perceptual_term(self.device)
        self.precision = fastest_precision(self.device)
        self.seconds = 0.0  # spent on steps
        self.sizes = np.array([len(scene.triangles) for scene in data.train])

    def restore(self, state: TrainState) -> None:
        """Go back to where `state` was saved."""
        self.model.load_state_dict(state.weights)
        self.optimizer.load_state_dict(state.optimizer)
        self.precision = getattr(torch, state.precision)
        self.seconds = 3600 * state.hours

    def state(self, done: int) -> TrainState:
        """Where the run stands after `done` steps; shares the tensors of the run."""
        return TrainState(
            step=done,
            weights=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            options=recorded(self.options),
            config=self.model.config.to_dict(),
            precision=str(self.precision).removeprefix("torch."),
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
            augmentation = draw(rng, len(scene.triangles), options.rotations)
            scenes.append(apply(with_views(scene, views), augmentation))
        return collate(scenes, self.device)

    def step(self, step: int) -> dict[str, float]:
        """One optimiser step; the terms of its loss, by name. Gradients that are not finite are dropped."""
        self._redraw(step)
        transferring = self.teacher is not None and step < self.options.transfer
        self.optimizer.zero_grad()
        batch = self.batch(step)
        with torch.autocast(self.device.type, dtype=self.precision, enabled=self.precision != torch.float32):
            total, terms = self._transfer(batch) if transferring else self._images(batch)
        total.backward()  # type: ignore[no-untyped-call]
        trained = list(attention_parameters(self.model) if transferring else self.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(trained, CLIP)
        self.optimizer.set_rate(self._rate(step, transferring))
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
        return {**{name: term.item() for name, term in terms.items()}, "gradient_norm": norm.item()}

    def _images(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        prediction = self.model(batch.scenes, batch.c2w, batch.fov, self.options.resolution, batch.visible)
        with torch.autocast(self.device.type, enabled=False):
            loss = image_loss(prediction.float(), batch.truth, self.perceptual)
        return loss.total, {"loss": loss.total, "log_l1": loss.log_l1, self.perceptual.name: loss.perceptual}

    def _transfer(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        assert self.teacher is not None
        loss = transfer_loss(self.model, self.teacher, batch.scenes)
        return loss, {"loss": loss, "transfer": loss}

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
    """Train `model` (in place, on its device) and keep its checkpoint, state, history and grid in `options.out`.

    teacher: the softmax model that new attention layers imitate during the first `options.transfer` steps.
    state: where an interrupted run of the same options goes on.
    """
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    run = Run(model, teacher, data, options)
    first = 0
    if state is not None:
        run.restore(state)
        first = state.step
    forget_after(out / HISTORY, first)
    model.train()
    recent: list[dict[str, float]] = []
    validation, done = None, first
    with deferred_interrupt() as interrupted:
        for step in range(first, options.steps):
            start = time.perf_counter()
            losses = run.step(step)
            done, seconds = step + 1, time.perf_counter() - start
            run.seconds += seconds
            recent = [*recent[-REPORT_EVERY + 1 :], losses]
            watch.stepped(done, losses)
            if done % REPORT_EVERY == 0:
                record(out / HISTORY, done, {**losses, "seconds": round(seconds, 3)})
            if done % options.validate_every == 0 or done == options.steps:
                validation = validate(model, data.validation, options.resolution)
                record(out / HISTORY, done, {"validation": validation.as_dict()})
                _keep(run, done, validation)
                watch.validated(done, validation)
            if interrupted():
                break
        if interrupted() and done < options.steps:
            save_state(out / STATE, run.state(done))
    model.eval()
    names = recent[-1].keys() if recent else ()
    means = {name: float(np.mean([losses[name] for losses in recent if name in losses])) for name in names}
    return Outcome(done, means, run.perceptual.name, validation, done < options.steps)


def _keep(run: Run, step: int, validation: Validation) -> None:
    """Everything that must outlive the run: state first, from which the rest could be made again."""
    options = run.options
    save_state(options.out / STATE, run.state(step))
    made = {**recorded(options), "steps done": step, "hours": round(run.seconds / 3600, 2)}
    made["perceptual term"] = run.perceptual.name
    save_checkpoint(run.model, options.out, model_card(run.model, made, validation))
    write_grid(run.model, run.data.validation, options.resolution, options.out / GRID)
