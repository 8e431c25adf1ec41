"""One run of training: its state, its batches, and one optimiser step after another."""

import math
import time
from pathlib import Path
from typing import cast

import numpy as np
import torch

from rfcli.dataset.augment import apply, draw
from rfcli.dataset.batching import epoch_batches
from rfcli.dataset.training_scene import with_views
from rfcli.errors import InputError
from rfcli.metrics.perceptual import Perceptual, perceptual_term
from rfcli.model import RenderFormer
from rfcli.model.device import fastest_precision
from rfcli.runtime.processes import ALONE, Processes
from rfcli.training.average import averaged
from rfcli.training.bad_steps import MOST_IN_A_ROW, write_bad_step
from rfcli.training.batch import TrainingBatch, collate
from rfcli.training.checkpoints import explained
from rfcli.training.health import gradient_norms
from rfcli.training.losses import StepLoss
from rfcli.training.optimizer import make_optimizer
from rfcli.training.options import TrainOptions
from rfcli.training.scenes import TrainingData
from rfcli.training.schedule import learning_rate
from rfcli.training.sharding import gathered, shard, shared_out, whole, whole_model
from rfcli.training.stages import stage_at
from rfcli.training.state import TrainState, recorded
from rfcli.training.transfer import attention_parameters

CLIP = 1.0
REPORT_EVERY = 10  # steps between lines of the history, which also tell the gradients' norms by stage
REDRAW_EVERY = 200  # steps between new random features, where the attention has them


class Run:
    """One run of training: the model it changes, and everything it needs to change it by one more step."""

    def __init__(
        self,
        model: RenderFormer,
        teacher: RenderFormer | None,
        data: TrainingData,
        options: TrainOptions,
        processes: Processes = ALONE,
    ) -> None:
        self.model, self.teacher, self.data, self.options, self.processes = model, teacher, data, options, processes
        self.device = next(model.parameters()).device
        model.transformer.recompute = model.view_transformer.transformer.recompute = options.recompute
        if options.freeze == "view":
            model.view_transformer.requires_grad_(False)
        elif options.freeze == "triangles":
            model.requires_grad_(False).view_transformer.requires_grad_(True)
        self.average = averaged(model, options.ema)
        self.loss = StepLoss(model)
        if options.shard:
            shard(model, root=self.loss)
            shard(self._averaged, root=self._averaged)
        self.optimizer = make_optimizer(model, options.optimizer, options.rate)
        self.perceptual: Perceptual = perceptual_term(self.device, options.lpips_weights)
        fastest = fastest_precision(self.device)
        (slow,) = processes.any(self.device, fastest == torch.float32)
        self.precision = torch.float32 if slow else fastest
        self.seconds = 0.0  # spent on steps
        self.best: float | None = None  # validation PSNR
        self.bad_in_a_row = 0
        self.bad_step: Path | None = None  # where the first of this sitting is kept
        self.stage = data.stage
        self.sizes = np.array([len(scene.triangles) for scene in data.train])

    @property
    def _averaged(self) -> RenderFormer:
        return cast(RenderFormer, self.average.module)

    def judged(self) -> RenderFormer | None:
        """The model with averaged weights, in one piece; it may go on changing. All processes call this; where it is
        sharded, only the first gets it.
        """
        return whole_model(self._averaged, self.processes.first)

    def enter(self, step: int) -> list[str]:
        """Have the scenes of the stage of `step` at hand. Returns a sentence for each that is newly left out."""
        stage = stage_at(self.options.curriculum, step)
        if stage == self.stage:
            return []
        skipped = self.data.enter(stage)
        self.stage = stage
        self.sizes = np.array([len(scene.triangles) for scene in self.data.train])
        return skipped

    def restore(self, state: TrainState) -> None:
        """Go back to where `state` was saved."""
        for module, weights in ((self.model, state.weights), (self.average, state.average)):
            now = module.state_dict()
            module.load_state_dict({name: shared_out(value, now[name]) for name, value in weights.items()})
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
        """Where the run stands after `done` steps; shares the tensors of the run. All processes call this; of tensors
        that are sharded, only the first gets any.
        """
        keep = self.processes.first
        return TrainState(
            step=done,
            weights=gathered(self.model.state_dict(), keep),
            average=gathered(self.average.state_dict(), keep),
            optimizer=gathered(self.optimizer.state_dict(), keep),
            options=recorded(self.options),
            config=self.model.config.to_dict(),
            precision=str(self.precision).removeprefix("torch."),
            perceptual=self.perceptual.made_of,
            best=self.best,
            hours=self.seconds / 3600,
        )

    def batch(self, step: int) -> tuple[TrainingBatch, float]:
        """The augmented scenes of a step that this process takes, and their share of all of the step's.

        They depend on the seed and the step alone, however many processes there are to take them.
        """
        options = self.options
        together = options.batch * self.processes.count
        per_epoch = -(-len(self.sizes) // together)
        chosen = epoch_batches(self.sizes, together, options.seed, step // per_epoch)[step % per_epoch]
        mine, share = self.processes.share(len(chosen))
        rng = np.random.default_rng([options.seed, 1, step])
        scenes = []
        apart = self.model.config.channels == "apart" and not options.overfit  # then one channel of each scene
        for place, index in enumerate(chosen):
            scene = self.data.train[index]
            if options.overfit:
                scenes += [scene] if place in mine else []
                continue
            views = rng.permutation(len(scene.c2w))[: options.views]
            lights = 0 if scene.layers is None else len(scene.layers)
            augmentation = draw(rng, len(scene.triangles), options.rotations, options.translations, lights, apart)
            if place in mine:
                scenes.append(apply(with_views(scene, views), augmentation))
        return collate(scenes, self.device, monochrome=apart), share

    def step(self, step: int) -> dict[str, float]:
        """One optimiser step. Gradients that are not finite are dropped.

        Returns by name the terms of its loss, the norm of the gradient, the learning rate, the share of the batch that
        is padding, and the share of the time that went into making the batch.
        """
        start = time.perf_counter()
        # What dropout draws, where the model has it: different in every step and process
        torch.manual_seed(self.options.seed * 1_000_003 + step + 1_000_000_007 * self.processes.rank)
        self._redraw(step)
        teacher = self.teacher if step < self.options.transfer else None
        self.optimizer.zero_grad()
        making = time.perf_counter()
        batch, share = self.batch(step)
        loading = time.perf_counter() - making
        terms = self.loss(teacher, batch, self.perceptual, self.precision)
        values = [share * term.detach() for term in terms.values()]
        if self.options.shard:  # then gradients arrive as the mean over the processes
            (share * self.processes.count * terms["loss"]).backward()
            self.processes.add_up(values)
        else:
            (share * terms["loss"]).backward()
            self.processes.add_up([*values, *(p.grad for p in self.model.parameters() if p.grad is not None)])
        losses = {name: value.item() for name, value in zip(terms, values, strict=True)}
        norms = gradient_norms(self.model) if (step + 1) % REPORT_EVERY == 0 else {}
        trained = list(attention_parameters(self.model) if teacher else self.model.parameters())
        norm = whole(torch.nn.utils.clip_grad_norm_(trained, CLIP))
        rate = self._rate(step, teacher is not None)
        self.optimizer.set_rate(rate)
        if math.isfinite(norm.item()) and math.isfinite(losses["loss"]):
            self.optimizer.step()
            self.average.update_parameters(self.model)
            self.bad_in_a_row = 0
        else:
            own = not math.isfinite(terms["loss"].item()) or self.processes.count == 1
            self._pass_over(step, teacher, batch, own)
        padding = 1 - batch.scenes.mask.float().mean().item()
        loading /= time.perf_counter() - start
        return {**losses, "gradient_norm": norm.item(), **norms, "rate": rate, "padding": padding, "loading": loading}

    def _pass_over(self, step: int, teacher: RenderFormer | None, batch: TrainingBatch, own: bool) -> None:
        """Count a bad step, and keep the first whose fault is this process's own.

        Raises InputError where there are too many in a row.
        """
        self.bad_in_a_row += 1
        model = whole_model(self.model, own)
        if self.bad_step is None and own and model is not None:
            with explained(self.options.out):
                self.bad_step = write_bad_step(self.options.out, step, model, teacher, batch, self.precision)
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
        """New random features now and then, but not in the last half, where the model settles on those it keeps: the
        average of weights that were learned with different features is good with none of them.
        """
        if step and step % REDRAW_EVERY == 0 and step < self.options.steps / 2:
            for attention in self.model.transformer.attentions():
                attention.mechanism.redraw(self.options.seed + 1000 * step)
