"""Small training scenes, models, options and callbacks for the tests of training."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.perceptual import PerceptualMetric
from rfcli.model import RenderFormer, RenderFormerConfig, SceneBatch
from rfcli.training.batch import TrainingBatch
from rfcli.training.initialise import new_model
from rfcli.training.losses import step_loss
from rfcli.training.options import TrainOptions
from rfcli.training.scenes import TrainingData, seen_by_pixels
from rfcli.training.validation import ImagePair, Validation
from tests.support.model_scenes import SMALL, cameras, random_batch

RESOLUTION = 16


def training_scene(seed: int, triangles: int = 14) -> TrainingScene:
    """A random scene; its images show the colours of the first hits under constant light, which can be learned."""
    batch, (c2w, fov) = random_batch(triangles=triangles, seed=seed), cameras()
    assert batch.material is not None
    arrays = (x[0].numpy() for x in (batch.triangles, batch.vn, batch.material, c2w, fov))
    scene = TrainingScene(*arrays, images=np.zeros((2, RESOLUTION, RESOLUTION, 3), np.float16))
    seen = seen_by_pixels(scene, RESOLUTION)
    colours = scene.material[:, :3] * 0.7 + scene.material[:, 10:]
    images = np.where((seen >= 0)[..., None], colours[seen.clip(0)], 0).astype(np.float16)
    return dataclasses.replace(scene, images=images, visible=seen)


def training_data(scenes: int = 5) -> TrainingData:
    return TrainingData([training_scene(i, 10 + i) for i in range(scenes)], [training_scene(100)])


def train_options(out: Path, **changes: object) -> TrainOptions:
    """Options of a run of 6 steps; with phases, of as many as they have."""
    given: dict[str, Any] = {"data": Path("data"), "batch": 2, "warmup": 1, "validate_every": 2}
    if "phases" not in changes:
        given |= {"resolution": RESOLUTION, "steps": 6}
    return TrainOptions(out=out, **{**given, **changes})


def fresh_model(seed: int = 0, **changes: object) -> RenderFormer:
    return new_model(dataclasses.replace(SMALL, **changes), seed)  # type: ignore[arg-type]


class RecordingCallbacks:
    """Callbacks that record losses, validations and warnings."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.validations: list[Validation] = []
        self.warnings: list[str] = []

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        self.losses.append(losses["loss"])

    def on_validation(self, step: int, validation: Validation, images: Sequence[ImagePair]) -> None:
        self.validations.append(validation)

    def on_warning(self, message: str) -> None:
        self.warnings.append(message)


def repeat_step(path: Path, perceptual: PerceptualMetric) -> tuple[float, float]:
    """Loss and gradient norm of the step that `write_step` wrote, computed again from the file alone."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    batch = TrainingBatch(**{**stored["batch"], "scenes": SceneBatch(**stored["batch"]["scenes"])})
    model = _restored(stored["model"])
    teacher = _restored(stored["teacher"]) if stored["teacher"] else None
    loss = step_loss(model, teacher, batch, perceptual, getattr(torch, stored["precision"]))["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return loss.item(), torch.nn.utils.get_total_norm(gradients).item()


def _restored(stored: dict[str, Any]) -> RenderFormer:
    model = RenderFormer(RenderFormerConfig.from_dict(stored["config"]))
    model.load_state_dict(stored["weights"])
    return model.train()
