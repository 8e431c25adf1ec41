"""Small training scenes and runs for the tests of training."""

import dataclasses
from pathlib import Path

import numpy as np

from rfcli.dataset.training_scene import TrainingScene
from rfcli.model import RenderFormer
from rfcli.training.initialise import new_model
from rfcli.training.options import TrainOptions
from rfcli.training.scenes import TrainingData, seen_by_pixels
from rfcli.training.validation import Validation
from tests.support.model_scenes import SMALL, cameras, random_batch

RESOLUTION = 16


def training_scene(seed: int, triangles: int = 14) -> TrainingScene:
    """A random scene; its images are what its first hits reflect of a fixed light, so that they can be learned."""
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


def options(out: Path, **changes: object) -> TrainOptions:
    given = {"data": Path("data"), "resolution": RESOLUTION, "steps": 6, "batch": 2, "warmup": 1, "validate_every": 2}
    return TrainOptions(out=out, **{**given, **changes})  # type: ignore[arg-type]


def fresh_model(seed: int = 0, **changes: object) -> RenderFormer:
    return new_model(dataclasses.replace(SMALL, **changes), seed)  # type: ignore[arg-type]


class Silent:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.validations: list[Validation] = []

    def stepped(self, step: int, losses: dict[str, float]) -> None:
        self.losses.append(losses["loss"])

    def validated(self, step: int, validation: Validation) -> None:
        self.validations.append(validation)

    def warned(self, sentence: str) -> None:
        pass
