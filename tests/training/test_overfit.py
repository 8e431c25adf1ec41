"""A network that cannot learn a few scenes by heart learns nothing from many: what it must reach, and what one whose
transformer is dead cannot.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch.nn.modules.module import register_module_forward_hook

from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.similarity import log_radiance, low_dynamic_range
from rfcli.model import RenderFormer
from rfcli.model.view_dependent import ViewLayer
from rfcli.model.view_independent import Layer
from rfcli.training.loop import fit
from rfcli.training.scenes import TrainingData
from rfcli.training.validation import predict
from tests.support.training_scenes import RESOLUTION, Silent, fresh_model, options, training_scene

SCENES = 10


def lit(seed: int, light: tuple[float, float, float]) -> TrainingScene:
    """The random scene `seed`, whose first triangle is given that light; every surface shines in its own colour times
    it. Only a network that lets triangles, or rays, hear of the first triangle can tell how bright the others are."""
    scene = training_scene(seed)
    material = scene.material.copy()
    material[0, 10:] = light
    seen = scene.visible
    assert seen is not None
    radiance = material[:, :3] * np.array(light, np.float32)
    radiance[0] = light
    images = np.where((seen >= 0)[..., None], radiance[seen.clip(0)], 0).astype(np.float16)
    return dataclasses.replace(scene, material=material, images=images)


def same_scene_in_different_light() -> list[TrainingScene]:
    rng = np.random.default_rng(0)
    return [lit(0, tuple(rng.uniform(0.1, 1.0, 3))) for _ in range(SCENES)]


def decibels(errors: list[torch.Tensor]) -> float:
    """-10 log10(mean squared error), of all that is given together."""
    return -10 * torch.log10(torch.cat(errors).square().mean()).item()


def quality(model: RenderFormer, scenes: list[TrainingScene]) -> float:
    """Of the model where pixels see a surface, on clamp(log2(1 + radiance), 0, 1)."""
    errors = []
    for scene in scenes:
        prediction, truth = (low_dynamic_range(x) for x in predict(model.eval(), scene, RESOLUTION))
        errors.append((prediction - truth)[torch.from_numpy(scene.visible > 0)])
    return decibels(errors)


def best_without_light(scenes: list[TrainingScene]) -> float:
    """What the best of all networks reaches that does not hear of the light: at every pixel the mean of the images."""
    truth = torch.stack([low_dynamic_range(log_radiance(torch.from_numpy(s.images).float())) for s in scenes])
    return decibels([(truth - truth.mean(0))[:, torch.from_numpy(scenes[0].visible > 0)]])


@contextmanager
def dead() -> Iterator[None]:
    """Within, no layer of either stage changes anything: its output is its input."""
    hook = register_module_forward_hook(
        lambda layer, given, _out: given[0] if isinstance(layer, Layer | ViewLayer) else None
    )
    try:
        yield
    finally:
        hook.remove()


def overfitted(scenes: list[TrainingScene], out: Path, steps: int) -> RenderFormer:
    model = fresh_model()
    told = options(out, steps=steps, batch=5, warmup=10, rate=3e-3, ema=0.98, overfit=SCENES, validate_every=10**6)
    fit(model, TrainingData(scenes, scenes[:1]), told, Silent())
    return model


def test_ten_scenes_are_learned_by_heart_which_a_dead_transformer_cannot(tmp_path: Path) -> None:
    """Alike but for their light, so that what is without it is known in closed form."""
    scenes = same_scene_in_different_light()
    limit = best_without_light(scenes)
    with dead():
        assert quality(overfitted(scenes, tmp_path / "dead", 40), scenes) < limit + 0.1
    assert quality(overfitted(scenes, tmp_path / "living", 300), scenes) > limit + 12
