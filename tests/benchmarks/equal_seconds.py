"""Trains several configurations alternately, so that each gets the same processor time on the same machine."""

import time
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rfcli.dataset.batching import is_validation
from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.storage import Storage
from rfcli.dataset.streaming import StreamedScenes, pack_offsets
from rfcli.dataset.training_scene import TrainingScene
from rfcli.model import RenderFormer, RenderFormerConfig
from rfcli.training.losses import step_loss
from rfcli.training.optimizer import learning_rate
from rfcli.training.options import TrainOptions
from rfcli.training.run import MAX_GRADIENT_NORM, Run
from rfcli.training.scenes import TrainingData, read_scenes
from rfcli.training.validation import validate

WARMUP_SHARE, EMA_DECAY = 0.03, 0.99  # warm-up as a share of the time; decay of the averaged weights
RESOLUTION, TRIANGLES, VALIDATION_SCENES = 64, (256, 1024), 16


def training_data(folder: Path, config: RenderFormerConfig, max_scenes: int | None = None) -> TrainingData:
    """Scenes of 256 to 1,024 triangles: at most `max_scenes` for training, and 16 for validation."""
    manifest = read_manifest(folder)
    fits = (manifest.triangles >= TRIANGLES[0]) & (manifest.triangles <= TRIANGLES[1])
    held_out = np.array([is_validation(int(number)) for number in manifest.numbers])

    def read(rows: npt.NDArray[np.int64]) -> list[TrainingScene]:
        scenes = StreamedScenes(Storage(folder), manifest, pack_offsets(manifest), rows, RESOLUTION)
        return read_scenes(scenes, config)[0]

    training, validation = np.flatnonzero(fits & ~held_out), np.flatnonzero(fits & held_out)
    return TrainingData(read(training[:max_scenes]), read(validation[:VALIDATION_SCENES]))


class TimedRun:
    """A training run that counts its own processor time."""

    def __init__(
        self,
        name: str,
        model: RenderFormer,
        teacher: RenderFormer | None,
        data: TrainingData,
        optimizer: Literal["muon", "adamw"],
        rate: float,
    ) -> None:
        steps = 10**6
        options = TrainOptions(
            data=Path(), out=Path(), resolution=RESOLUTION, steps=steps, ema=EMA_DECAY, optimizer=optimizer,
            transfer=steps if teacher else 0,
        )  # fmt: skip
        self.name, self.rate, self.teacher = name, rate, teacher
        self.run = Run(model, teacher, data, options)
        self.run.model.train()
        self.seconds, self.steps = 0.0, 0

    def step(self, share: float) -> None:
        """One optimiser step; `share` (0 to 1) of its time is used up, which sets the learning rate."""
        start, run = time.thread_time(), self.run
        run.optimizer.zero_grad()
        batch, _ = run.batch(self.steps)
        step_loss(run.model, self.teacher, batch, run.perceptual, torch.float32)["loss"].backward()
        nn.utils.clip_grad_norm_([p for p in run.model.parameters() if p.grad is not None], MAX_GRADIENT_NORM)
        run.optimizer.set_rate(learning_rate(int(9999 * min(share, 1)), 10000, int(10000 * WARMUP_SHARE), self.rate))
        run.optimizer.step()
        run.average.update_parameters(run.model)
        self.steps += 1
        self.seconds += time.thread_time() - start

    def psnr(self) -> float:
        """PSNR (dB) of the averaged weights on the validation scenes."""
        averaged = self.run.averaged_model()
        assert averaged is not None
        return validate(averaged, self.run.data.validation, RESOLUTION).psnr


def train_alternately(runs: list[TimedRun], seconds: float, validations: int) -> None:
    """Train each run for `seconds`; print its PSNR at `validations` equally spaced times."""
    validated = dict.fromkeys((run.name for run in runs), 0)
    while unfinished := [run for run in runs if run.seconds < seconds]:
        run = min(unfinished, key=lambda run: run.seconds)
        run.step(run.seconds / seconds)
        while validated[run.name] < int(validations * run.seconds / seconds):
            validated[run.name] += 1
            weights = sum(p.numel() for p in run.run.model.parameters() if p.requires_grad)
            print(
                f"{run.name:>24}: {weights:,} weights, {run.seconds:4.0f} s, {run.steps:4d} steps: {run.psnr():.2f} dB",
                flush=True,
            )
