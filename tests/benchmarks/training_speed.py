"""Compares the speed of `rf train` with a plain training loop over the official modules, in one run.

    git clone https://github.com/microsoft/renderformer && pip install -r renderformer/requirements.txt
    python -m tests.benchmarks.training_speed --official renderformer

Both train models of the same architecture, from the same weights, on the same scenes, alternating after every epoch.
Medians count, in processor time of one thread, so that other work on the machine hardly matters. Views, resolution,
scenes per batch, loss, AdamW and gradient clipping are the same.

official        A plain loop: scenes in random order, padded to the longest of their batch, materials as the textures of
                13 x 32 x 32 of the official data loader, float32. Data are in memory before the clock starts.
official, rf's  The same with the batches of `rf train`, which groups scenes of similar size. The remaining difference
  batches       is due to the modules alone.
rf              `Run.step` with everything included: order, augmentation, collation, moving average, in the precision
                that it chooses; and in float32, if it has chosen another one.

Two architectures: base, as published, and tiny, with the settings that the official code has (visibility by attention,
no key weights, no positions added to tokens).

Then the share of a step of rf spent on data; and the peak memory of a step of the base model at 4,096 triangles, with
and without --recompute, each in its own process.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rfcli.dataset.batching import epoch_batches
from rfcli.dataset.training_scene import TrainingScene, with_views
from rfcli.metrics.perceptual import StructuralDistance
from rfcli.model import PRESETS, RenderFormerConfig
from rfcli.model.triangle_tokens import triangular_mask
from rfcli.runtime.memory import peak_resident_bytes
from rfcli.study.scenes.random_triangles import random_triangle_batch
from rfcli.training import muon
from rfcli.training.batch import TrainingBatch, collate
from rfcli.training.initialise import new_model
from rfcli.training.losses import image_loss
from rfcli.training.options import TrainOptions
from rfcli.training.run import MAX_GRADIENT_NORM, Run
from rfcli.training.scenes import TrainingData
from tests.benchmarks.official_pipeline import find_official

CPU = torch.device("cpu")
LEARNING_RATE, TEXTURE, CAMERAS = 1e-4, 32, 4
TARGET_RATIO, MAX_DATA_SHARE, MAX_MEMORY = 1.5, 0.05, 12e9
MEMORY_TRIANGLES = 4096


@dataclass(frozen=True)
class Trial:
    """An architecture and an epoch of it: scenes of `low` to `high` triangles, uniformly distributed."""

    config: RenderFormerConfig
    scenes: int
    batch: int
    low: int
    high: int
    resolution: int
    views: int = 2


TINY = replace(
    PRESETS["tiny"],
    visibility="attention",
    channels="together",
    light="given",
    direct="network",
    key_weight="count",
    token_position_freqs=None,
)
TRIALS = {
    "tiny": Trial(TINY, scenes=32, batch=4, low=256, high=1536, resolution=64),
    "base": Trial(PRESETS["base"], scenes=8, batch=2, low=256, high=1024, resolution=64),
}


def random_scenes(trial: Trial) -> list[TrainingScene]:
    """Scenes of random triangles and images; the cost of a step depends on neither."""
    rng = np.random.default_rng(0)
    scenes = []
    for index in range(trial.scenes):
        soup = random_triangle_batch(int(rng.integers(trial.low, trial.high + 1)), index, CPU)
        assert soup.material is not None
        c2w = np.tile(np.eye(4, dtype=np.float32), (CAMERAS, 1, 1))
        c2w[:, 2, 3] = rng.uniform(1.5, 2.0, CAMERAS)
        images = rng.uniform(0, 1, (CAMERAS, trial.resolution, trial.resolution, 3)).astype(np.float16)
        fov = np.full(CAMERAS, 45.0, np.float32)
        arrays = (x[0].numpy() for x in (soup.triangles, soup.vn, soup.material))
        scenes.append(TrainingScene(*arrays, c2w, fov, images))
    return scenes


class PlainLoop:
    """A plain training loop over the official modules."""

    def __init__(self, trial: Trial, scenes: list[TrainingScene], bucketed: bool) -> None:
        from renderformer import RenderFormer as OfficialModel
        from renderformer.models.config import RenderFormerConfig as OfficialConfig
        from renderformer.utils.ray_generator import RayGenerator

        ours = new_model(trial.config, seed=0)
        self.model = OfficialModel(OfficialConfig(**ours.config.to_dict()))
        self.model.load_state_dict(ours.state_dict())
        self.model.train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE)
        self.rays, self.perceptual = RayGenerator(), StructuralDistance()
        self.trial, self.scenes, self.bucketed = trial, scenes, bucketed
        self.epochs = 0

    def batches(self) -> list[Any]:
        """Scene indices of each batch of the next epoch."""
        sizes, batch = np.array([len(scene.triangles) for scene in self.scenes]), self.trial.batch
        if self.bucketed:
            return epoch_batches(sizes, batch, 0, self.epochs)
        order = np.random.default_rng(self.epochs).permutation(len(sizes))
        return np.split(order, range(batch, len(order), batch))

    def epoch(self) -> list[float]:
        """Seconds of each step."""
        rng, seconds = np.random.default_rng(self.epochs), []
        for chosen in self.batches():
            batch = collate(
                [with_views(self.scenes[i], rng.permutation(CAMERAS)[: self.trial.views]) for i in chosen], CPU
            )
            texture = batch.scenes.constant_material()[..., None, None] * triangular_mask(TEXTURE)
            start = time.process_time()
            self.step(batch, texture)
            seconds.append(time.process_time() - start)
        self.epochs += 1
        return seconds

    def step(self, batch: TrainingBatch, texture: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        image_loss(self.images(batch, texture), batch.truth, self.perceptual).total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()

    def images(self, batch: TrainingBatch, texture: torch.Tensor) -> torch.Tensor:
        """[B, V, H, H, 3] log10(1 + radiance), as in the official pipeline, but with gradients."""
        from renderformer.utils.transform import trans_to_cam_coord

        scenes, config, (count, views) = batch.scenes, self.model.config, batch.fov.shape
        texture[:, :, -3:] = torch.log10(texture[:, :, -3:] + 1)
        if config.texture_encode_patch_size == 1:
            texture = texture[..., 0, 0]
        corners, cameras = scenes.triangles.repeat_interleave(views, 0), batch.c2w
        if config.turn_to_cam_coord:
            corners, cameras, _ = trans_to_cam_coord(cameras.flatten(0, 1), corners)
            cameras = cameras.unflatten(0, (count, views))
        origins, directions = self.rays(cameras, batch.fov[..., None].deg2rad(), self.trial.resolution)
        out = self.model(
            scenes.triangles.flatten(2),
            texture,
            scenes.mask,
            scenes.vn.flatten(2),
            origins,
            directions,
            corners.reshape(count, views, -1, 9),
            tf32_view_tf=True,
        )
        return out.permute(0, 1, 3, 4, 2)


class RfTrain:
    """`rf train` without validations."""

    def __init__(
        self,
        trial: Trial,
        scenes: list[TrainingScene],
        precision: torch.dtype | None,
        optimizer: Literal["muon", "adamw"],
    ) -> None:
        steps = 10**6
        self.options = TrainOptions(
            data=Path(),
            out=Path(),
            resolution=trial.resolution,
            steps=steps,
            batch=trial.batch,
            views=trial.views,
            rate=LEARNING_RATE,
            optimizer=optimizer,
        )
        self.run = Run(new_model(trial.config, seed=0), None, TrainingData(scenes, scenes), self.options)
        if precision is not None:
            self.run.precision = precision
        self.run.model.train()
        self.steps = -(-trial.scenes // trial.batch)
        self.done = 0
        self.data_seconds = 0.0

    def epoch(self) -> list[float]:
        """Seconds of each step."""
        seconds = []
        for _ in range(self.steps):
            start = time.process_time()
            made = self.run.batches[self.done]
            self.data_seconds += time.process_time() - start
            self.run.step(self.done, made)
            seconds.append(time.process_time() - start)
            self.done += 1
        return seconds


def compare_speed(name: str, trial: Trial, turns: int) -> tuple[float, float]:
    """Ratio of steps per second, rf to official, and the share of a step of rf spent on data."""
    scenes = random_scenes(trial)
    ours = RfTrain(trial, scenes, None, "adamw")
    chosen = str(ours.run.precision).removeprefix("torch.")
    trainers: dict[str, PlainLoop | RfTrain] = {
        "official": PlainLoop(trial, scenes, bucketed=False),
        "official, rf's batches": PlainLoop(trial, scenes, bucketed=True),
        f"rf, {chosen}": ours,
    }
    if ours.run.precision != torch.float32:
        trainers["rf, float32"] = RfTrain(trial, scenes, torch.float32, "adamw")
    trainers[f"rf, {chosen}, muon"] = RfTrain(trial, scenes, None, "muon")
    seconds: dict[str, list[float]] = {trainer: [] for trainer in trainers}
    for turn in range(turns + 1):
        for trainer, loop in trainers.items():
            spent = loop.epoch() if turn else loop.epoch()[:0]  # the first epoch is warm-up
            if turn:
                seconds[trainer].append(sum(spent) / len(spent))
    median = {trainer: statistics.median(found) for trainer, found in seconds.items()}
    print(
        f"{name}: batches of {trial.batch} scenes of {trial.low:,} to {trial.high:,} triangles, {trial.views} views of "
        f"{trial.resolution} x {trial.resolution}; {turns} turns"
    )
    for trainer, found in median.items():
        spread = (max(seconds[trainer]) - min(seconds[trainer])) / found
        print(
            f"  {trainer:>24}: {found:7.3f} s a step (+-{spread / 2:.0%}), {median['official'] / found:.2f}x",
            flush=True,
        )
    total = sum(seconds[f"rf, {chosen}"]) * ours.steps
    return median["official"] / median[f"rf, {chosen}"], ours.data_seconds / total * turns / (turns + 1)


def step_memory(recompute: bool, resolution: int) -> int:
    """Peak resident memory in bytes of a process that takes a step of the base model; call it in a new process."""
    torch.set_num_threads(1)
    muon.orthogonalised = lambda matrices: matrices  # skipped: takes a minute, after activations are freed
    trial = Trial(PRESETS["base"], 1, 1, MEMORY_TRIANGLES, MEMORY_TRIANGLES, resolution)
    ours = RfTrain(trial, random_scenes(replace(trial, low=64, high=64, resolution=16)), None, "muon")
    ours.run.model.transformer.recompute = ours.run.model.view_transformer.transformer.recompute = recompute
    ours.run.step(0)  # of a small scene: allocates the state of the optimiser
    ours.run.data.train[:] = random_scenes(trial)
    ours.run.step(1)
    return peak_resident_bytes()


def print_verdict(what: str, met: bool) -> None:
    print(f"{what}: {'yes' if met else 'NO'}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--official", type=Path, metavar="DIR", help="a clone of microsoft/renderformer")
    parser.add_argument("--model", choices=tuple(TRIALS), action="append", help="run one of them instead of both")
    parser.add_argument("--turns", type=int, default=3, help="measured epochs of each, after one of warm-up")
    parser.add_argument("--scenes", type=int, help="scenes per epoch (default: 32 for tiny, 8 for base)")
    parser.add_argument("--resolution", type=int, default=256, help="image size of the step whose memory is measured")
    parser.add_argument("--only", choices=("speed", "memory"), help="run one part instead of both")
    arguments: Any = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.only != "memory":
        if arguments.official is None:
            sys.exit("--official is missing; clone https://github.com/microsoft/renderformer and give the folder.")
        find_official(arguments.official.resolve())
        for name in arguments.model or TRIALS:
            trial = replace(TRIALS[name], scenes=arguments.scenes or TRIALS[name].scenes)
            ratio, share = compare_speed(name, trial, arguments.turns)
            print_verdict(f"{name}: {ratio:.2f}x the steps, target {TARGET_RATIO:g}x", ratio >= TARGET_RATIO)
            print_verdict(
                f"{name}: {share:.1%} of a step for data, target below {MAX_DATA_SHARE:.0%}", share < MAX_DATA_SHARE
            )
    if arguments.only != "speed":
        for recompute in (False, True):
            with get_context("spawn").Pool(1) as pool:
                peak = pool.apply(step_memory, (recompute, arguments.resolution))
            what = f"base, {MEMORY_TRIANGLES:,} triangles, 2 views of {arguments.resolution} x {arguments.resolution}"
            how = " with --recompute" if recompute else ""
            print_verdict(f"{what}{how}: {peak / 1e9:.1f} GB, target below {MAX_MEMORY / 1e9:g} GB", peak < MAX_MEMORY)


if __name__ == "__main__":
    main()
