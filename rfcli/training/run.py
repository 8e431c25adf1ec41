"""One run of training: its model, its batches, and one optimiser step after another."""

import math
import time
from typing import cast

import numpy as np
import torch

from rfcli.dataset.augment import apply_augmentation, draw_augmentation
from rfcli.dataset.batching import epoch_batches
from rfcli.dataset.training_scene import with_views
from rfcli.errors import InputError
from rfcli.metrics.perceptual import PerceptualMetric, perceptual_metric
from rfcli.model import RenderFormer
from rfcli.model.device import fastest_precision
from rfcli.runtime.processes import SINGLE_PROCESS, Processes
from rfcli.training.health import gradient_norms
from rfcli.training.losses import StepLoss
from rfcli.training.nonfinite_steps import NonfiniteSteps
from rfcli.training.optimizer import averaged, learning_rate, make_optimizer
from rfcli.training.options import TrainOptions
from rfcli.training.phases import phase_at
from rfcli.training.scenes import TrainingBatch, TrainingData, collate
from rfcli.training.sharding import gathered, gathered_model, gathered_values, shard, sharded_like
from rfcli.training.state import TrainState, stored
from rfcli.training.transfer import attention_parameters

MAX_GRADIENT_NORM = 1.0
REPORT_EVERY = 10  # steps from one line of the history to the next; gradient norms by stage are measured only then
REDRAW_EVERY = 200  # steps from one redraw of random features to the next, if the attention has them


class Run:
    """One run of training: the model, and everything needed to train it by one more step.

    Args:
        model: The model, which is trained in place, on its device.
        teacher: Softmax model for attention transfer; None = no transfer.
        data: Training and validation scenes.
        options: Options of the run.
        processes: The processes that train together.
    """

    def __init__(
        self,
        model: RenderFormer,
        teacher: RenderFormer | None,
        data: TrainingData,
        options: TrainOptions,
        processes: Processes = SINGLE_PROCESS,
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
        self.perceptual: PerceptualMetric = perceptual_metric(self.device, options.lpips_weights)
        self.precision = self._choose_precision()
        self.seconds = 0.0  # spent on steps
        self.best: float | None = None  # highest validation PSNR
        self.nonfinite = NonfiniteSteps(options.out)
        self.phase = data.phase
        self.sizes = data.sizes()

    @property
    def _averaged(self) -> RenderFormer:
        return cast(RenderFormer, self.average.module)

    def _choose_precision(self) -> torch.dtype:
        """The fastest format of matrix products; float32 unless all processes find another one faster.

        Also float32 on CPUs if images are a single patch: torch leaves most of the weight gradient of a bfloat16
        convolution over one pixel with stride 2, which the image head has, uninitialised.
        """
        fastest = fastest_precision(self.device)
        lowest = min(phase.resolution for phase in self.options.curriculum)
        single_patch = self.device.type == "cpu" and lowest <= self.model.config.patch_size
        (float32,) = self.processes.any(self.device, fastest == torch.float32 or single_patch)
        return torch.float32 if float32 else fastest

    def averaged_model(self) -> RenderFormer | None:
        """The model with averaged weights. All processes call this; if it is sharded, only the first one gets it."""
        return gathered_model(self._averaged, self.processes.first)

    def enter_phase(self, step: int) -> list[str]:
        """Load the scenes of the phase of `step`; returns a sentence for each scene that could not be read."""
        phase = phase_at(self.options.curriculum, step)
        if phase == self.phase:
            return []
        skipped = self.data.enter_phase(phase)
        self.phase = phase
        self.sizes = self.data.sizes()
        return skipped

    def restore(self, state: TrainState) -> None:
        """Continue from a saved state. Raises InputError if its loss had another perceptual term."""
        for module, weights in ((self.model, state.weights), (self.average, state.average)):
            current = module.state_dict()
            module.load_state_dict({name: sharded_like(value, current[name]) for name, value in weights.items()})
        self.optimizer.load_state_dict(state.optimizer)
        self.precision = getattr(torch, state.precision)
        self.seconds = 3600 * state.hours
        self.best = state.best
        if state.perceptual != self.perceptual.description:
            raise InputError(
                f"{self.options.out} holds a run whose loss has the perceptual term {state.perceptual}, not "
                f"{self.perceptual.description}; give that backbone as `lpips_weights`, or use another `out`."
            )

    def state(self, done: int) -> TrainState:
        """The state after `done` steps; it shares the tensors of the run.

        All processes call this; of sharded tensors only the first one gets the values.
        """
        keep = self.processes.first
        return TrainState(
            step=done,
            weights=gathered_values(self.model.state_dict(), keep),
            average=gathered_values(self.average.state_dict(), keep),
            optimizer=gathered_values(self.optimizer.state_dict(), keep),
            options=stored(self.options),
            config=self.model.config.to_dict(),
            precision=str(self.precision).removeprefix("torch."),
            perceptual=self.perceptual.description,
            best=self.best,
            hours=self.seconds / 3600,
        )

    def batch(self, step: int) -> tuple[TrainingBatch, float]:
        """The augmented scenes of a step that this process computes, and their share of all scenes of the step.

        The scenes of a step depend on the seed and the step only, not on the number of processes.
        """
        options = self.options
        together = options.batch * self.processes.count
        per_epoch = -(-len(self.sizes) // together)
        chosen = epoch_batches(self.sizes, together, options.seed, step // per_epoch)[step % per_epoch]
        mine, share = self.processes.share(len(chosen))
        rng = np.random.default_rng([options.seed, 1, step])
        scenes = []
        # With channels apart, the model is trained on one channel of each scene.
        monochrome = self.model.config.channels == "apart" and not options.overfit
        for place, index in enumerate(chosen):
            scene = self.data.train[index]
            if options.overfit:
                scenes += [scene] if place in mine else []
                continue
            views = rng.permutation(len(scene.c2w))[: options.views]
            lights = 0 if scene.layers is None else len(scene.layers)
            augmentation = draw_augmentation(
                rng, len(scene.triangles), options.rotations, options.translations, lights, monochrome
            )
            if place in mine:
                scenes.append(apply_augmentation(with_views(scene, views), augmentation))
        return collate(scenes, self.device, monochrome=monochrome), share

    def step(self, step: int) -> dict[str, float]:
        """One optimiser step. It is skipped if its loss or gradient is not finite.

        Returns:
            By name: the terms of the loss, the gradient norm, the learning rate, the share of padding in the batch,
            and the share of the time spent on making the batch.
        """
        start = time.perf_counter()
        # Dropout, if the model has it, must differ between steps and processes.
        seed = self.options.seed * 1_000_003 + step + 1_000_000_007 * self.processes.rank
        torch.manual_seed(seed % 2**64)
        self._redraw(step)
        teacher = self.teacher if step < self.options.transfer else None
        self.optimizer.zero_grad()
        loading_start = time.perf_counter()
        batch, share = self.batch(step)
        loading = time.perf_counter() - loading_start
        terms = self.loss(teacher, batch, self.perceptual, self.precision)
        values = [share * term.detach() for term in terms.values()]
        if self.options.shard:  # FSDP averages gradients over the processes
            (share * self.processes.count * terms["loss"]).backward()
            self.processes.all_reduce(values)
        else:
            (share * terms["loss"]).backward()
            self.processes.all_reduce([*values, *(p.grad for p in self.model.parameters() if p.grad is not None)])
        losses = {name: value.item() for name, value in zip(terms, values, strict=True)}
        norms = gradient_norms(self.model) if (step + 1) % REPORT_EVERY == 0 else {}
        trained = list(attention_parameters(self.model) if teacher else self.model.parameters())
        norm = gathered(torch.nn.utils.clip_grad_norm_(trained, MAX_GRADIENT_NORM))
        rate = self._rate(step, teacher is not None)
        self.optimizer.set_rate(rate)
        if math.isfinite(norm.item()) and math.isfinite(losses["loss"]):
            self.optimizer.step()
            self.average.update_parameters(self.model)
            self.nonfinite.in_a_row = 0
        else:  # written by the process whose own loss is not finite
            writes = not math.isfinite(terms["loss"].item()) or self.processes.count == 1
            model = gathered_model(self.model, writes)
            self.nonfinite.skip(step, model if writes else None, teacher, batch, self.precision)
        padding = 1 - batch.scenes.mask.float().mean().item()
        loading /= time.perf_counter() - start
        return {**losses, "gradient_norm": norm.item(), **norms, "rate": rate, "padding": padding, "loading": loading}

    def _rate(self, step: int, transferring: bool) -> float:
        """The learning rate; attention transfer has a schedule of its own."""
        options = self.options
        first, last = (0, options.transfer) if transferring else (options.transfer, options.steps)
        if self.teacher is None:
            first = 0
        warmup = min(options.warmup, (last - first) // 2)
        return learning_rate(step - first, last - first, warmup, options.rate)

    def _redraw(self, step: int) -> None:
        """Redraw random features regularly in the first half of the run.

        In the second half they stay, since an average of weights that were trained with different features fits none.
        """
        if step and step % REDRAW_EVERY == 0 and step < self.options.steps / 2:
            for attention in self.model.transformer.attentions():
                attention.mechanism.redraw(self.options.seed + 1000 * step)
