"""One run of training: its model, its batches, and one optimiser step after another."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch

from rfcli.errors import InputError
from rfcli.metrics.perceptual import PerceptualMetric, perceptual_metric
from rfcli.model import RenderFormer
from rfcli.model.device import fastest_precision
from rfcli.runtime.processes import SINGLE_PROCESS, Processes
from rfcli.training.batch import StackedScenes, TrainingBatch
from rfcli.training.batches import Batches
from rfcli.training.health import gradient_norms
from rfcli.training.losses import StepLoss
from rfcli.training.nonfinite_steps import NonfiniteSteps
from rfcli.training.optimizer import WeightAverage, learning_rate, make_optimizer
from rfcli.training.options import TrainOptions
from rfcli.training.scenes import TrainingData, rays_per_pixel
from rfcli.training.sharding import gathered, gathered_model, gathered_values, replicated, shard, sharded_like
from rfcli.training.state import TrainState, stored
from rfcli.training.step_numbers import StepNumbers, all_finite
from rfcli.training.transfer import attention_parameters

MAX_GRADIENT_NORM = 1.0
OWN = "own loss"  # of this process alone
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
        self.average = WeightAverage(model, options.ema)
        self.loss = StepLoss(model)
        if options.shard:
            shard(model, root=self.loss)
            shard(self._averaged, root=self._averaged)
        self._parallel_loss = self.loss if options.shard else replicated(self.loss, processes)
        self.optimizer = make_optimizer(model, options.optimizer, options.rate)
        self.perceptual: PerceptualMetric = perceptual_metric(self.device, options.lpips_weights)
        self.precision = self._choose_precision()
        self.seconds = 0.0  # spent on steps
        self.best: float | None = None  # highest validation PSNR
        self.nonfinite = NonfiniteSteps(options.out)
        # Whether numbers of a step are read during the next one, so that a GPU never waits for this process.
        self.delayed = self.device.type == "cuda" and not options.shard
        self._unread: StepNumbers | None = None
        self._last: dict[str, float] = {}
        apart = model.config.channels == "apart"  # then the model is trained on one channel of each scene
        # On CUDA the model computes first hits, faster than worker processes on the CPU.
        on_cpu = self.device.type != "cuda"
        self.batches = Batches(data, options, apart, rays_per_pixel(model.config), on_cpu, processes)

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
        self.read_numbers()
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
        """The augmented scenes of a step that this process computes, and their share of all scenes of the step."""
        made = self.batches[step]
        return made.to(self.device), made.share

    def step(self, step: int, made: StackedScenes | None = None, waited: float = 0.0) -> dict[str, float]:
        """One optimiser step. It is skipped if its loss or gradient is not finite.

        Args:
            step: Index of the step.
            made: Its batch, of `Run.batches`; None = it is made here.
            waited: Seconds that this process has waited for the batch.

        Returns:
            By name: the terms of the loss, the gradient norm, the learning rate, the share of padding in the batch,
            and the share of the time that was spent waiting for the batch. If `delayed`, loss and gradient norm are
            those of the step before, except in every REPORT_EVERY-th step.
        """
        start = time.perf_counter()
        # Dropout, if the model has it, must differ between steps and processes.
        seed = self.options.seed * 1_000_003 + step + 1_000_000_007 * self.processes.rank
        torch.manual_seed(seed % 2**64)
        self._redraw(step)
        teacher = self.teacher if step < self.options.transfer else None
        self.optimizer.zero_grad()
        if made is None:
            making = time.perf_counter()
            made = self.batches[step]
            waited = time.perf_counter() - making
            start += waited
        batch, share = made.to(self.device), made.share
        terms = self._parallel_loss(teacher, batch, self.perceptual, self.precision)
        values = {name: share * term.detach() for name, term in terms.items()}
        # Gradients are averaged over the processes while the backward pass computes those of earlier layers.
        (share * self.processes.count * terms["loss"]).backward()
        self.processes.all_reduce(list(values.values()))
        report = (step + 1) % REPORT_EVERY == 0
        norms = gradient_norms(self.model) if report else {}
        trained = list(attention_parameters(self.model) if teacher else self.model.parameters())
        norm = gathered(torch.nn.utils.clip_grad_norm_(trained, MAX_GRADIENT_NORM))
        rate = self._rate(step, teacher is not None)
        self.optimizer.set_rate(rate)
        before, numbers = (
            self._unread,
            StepNumbers(step, {**values, "gradient_norm": norm, OWN: terms["loss"]}, batch, teacher),
        )
        if self.delayed:
            if before is not None:
                self._read(before)  # has arrived; the weights are still those before its step if it was skipped
            self.optimizer.step(numbers.finite)
            self.average.update(self.model, numbers.finite)
            self._unread = numbers
            if report or not self._last:
                self.read_numbers()
        elif self._read(numbers):
            self.optimizer.step()
            self.average.update(self.model)
        padding = 1 - made.mask.float().mean().item()
        loading = waited / (waited + time.perf_counter() - start)
        return {**self._last, **norms, "rate": rate, "padding": padding, "loading": loading}

    def read_numbers(self) -> None:
        """Wait for the numbers of the last step, if they have not been read."""
        numbers, self._unread = self._unread, None
        if numbers is not None:
            self._read(numbers)

    def _read(self, numbers: StepNumbers) -> bool:
        """Read the numbers of a step, and count it if they are not finite; returns whether they are."""
        found = numbers.read()
        own = found.pop(OWN)
        # A process without a share in the batch computes a scene for nothing, whose loss does not matter.
        self._last = found
        if all_finite(found):
            self.nonfinite.in_a_row = 0
            return True
        if self.delayed:
            self.average.n_averaged -= 1
        writes = not math.isfinite(own) or self.processes.count == 1  # the process whose own loss is not finite
        model = gathered_model(self.model, writes)
        self.nonfinite.skip(numbers.step, model if writes else None, numbers.teacher, numbers.batch, self.precision)
        return False

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


@contextmanager
def tf32_products(device: torch.device) -> Iterator[None]:
    """On a CUDA device, float32 matrix products round their factors to tf32, as in the published runs."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
