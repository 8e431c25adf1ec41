"""Ways of training that take turns by processor time, so that each has the same seconds on the same machine."""

import time
from pathlib import Path

import torch
from torch import nn

from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.split import is_validation
from rfcli.model import RenderFormer, RenderFormerConfig
from rfcli.training.losses import step_loss
from rfcli.training.options import TrainOptions
from rfcli.training.run import CLIP, Run
from rfcli.training.scenes import TrainingData, read_scenes
from rfcli.training.schedule import learning_rate
from rfcli.training.validation import validate

WARMUP, DECAY = 0.03, 0.99  # share of the seconds until the highest rate; of the moving average of weights
RESOLUTION, TRIANGLES, HELD_OUT = 64, (256, 1024), 16


def training_data(folder: Path, config: RenderFormerConfig, most: int | None = None) -> TrainingData:
    """A dataset's scenes of 256 to 1,024 triangles, the first `most` to learn from and 16 others to be judged by."""
    entries = [entry for entry in read_manifest(folder) if TRIANGLES[0] <= entry.triangles <= TRIANGLES[1]]
    learned = [entry for entry in entries if not is_validation(entry.index)][:most]
    held_out = [entry for entry in entries if is_validation(entry.index)][:HELD_OUT]
    return TrainingData(*(read_scenes(folder, some, RESOLUTION, config)[0] for some in (learned, held_out)))


class Side:
    """One way of training a model, by its own clock."""

    def __init__(
        self,
        name: str,
        model: RenderFormer,
        teacher: RenderFormer | None,
        data: TrainingData,
        optimizer: str,
        rate: float,
    ) -> None:
        steps = 10**6
        told = TrainOptions(
            Path(), Path(), resolution=RESOLUTION, steps=steps, ema=DECAY, optimizer=optimizer,
            transfer=steps if teacher else 0,
        )  # fmt: skip
        self.name, self.rate, self.teacher, self.run = name, rate, teacher, Run(model, teacher, data, told)
        self.run.model.train()
        self.seconds, self.steps = 0.0, 0

    def step(self, share: float) -> None:
        """One step, `share` of the whole of its seconds being over."""
        start, run = time.thread_time(), self.run
        run.optimizer.zero_grad()
        batch, _ = run.batch(self.steps)
        step_loss(run.model, self.teacher, batch, run.perceptual, torch.float32)["loss"].backward()
        nn.utils.clip_grad_norm_([p for p in run.model.parameters() if p.grad is not None], CLIP)
        run.optimizer.set_rate(learning_rate(int(9999 * min(share, 1)), 10000, int(10000 * WARMUP), self.rate))
        run.optimizer.step()
        run.average.update_parameters(run.model)
        self.steps += 1
        self.seconds += time.thread_time() - start

    def quality(self) -> float:
        """dB of the averaged weights on the validation scenes."""
        judged = self.run.judged()
        assert judged is not None
        return validate(judged, self.run.data.validation, RESOLUTION).psnr


def take_turns(sides: list[Side], seconds: float, parts: int) -> None:
    """Train each for that long, and print its quality at every one of `parts` equal parts of its time."""
    seen = dict.fromkeys((side.name for side in sides), 0)
    while under_way := [side for side in sides if side.seconds < seconds]:
        side = min(under_way, key=lambda one: one.seconds)
        side.step(side.seconds / seconds)
        while seen[side.name] < int(parts * side.seconds / seconds):
            seen[side.name] += 1
            weights = sum(p.numel() for p in side.run.model.parameters() if p.requires_grad)
            print(
                f"{side.name:>24}: {weights:,} weights, {side.seconds:4.0f} s, {side.steps:4d} steps: "
                f"{side.quality():.2f} dB",
                flush=True,
            )
