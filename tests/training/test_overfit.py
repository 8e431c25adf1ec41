"""A network must overfit a few scenes far better than one whose transformer does nothing."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.similarity import log_radiance, low_dynamic_range
from rfcli.model import RenderFormer
from rfcli.model.view_dependent import ViewDependentLayer
from rfcli.model.view_independent import ViewIndependentLayer
from rfcli.training.loop import fit
from rfcli.training.scenes import TrainingData
from rfcli.training.validation import predict
from tests.support.training_scenes import (
    RESOLUTION,
    RecordingCallbacks,
    fresh_model,
    train_options,
    training_scene,
)

SCENES = 10


def lit_scene(seed: int, light: tuple[float, float, float]) -> TrainingScene:
    """Random scene `seed`, whose first triangle emits `light`; every surface shows its colour times the light.

    Only attention to the first triangle tells a network how bright the others are.
    """
    scene = training_scene(seed)
    material = scene.material.copy()
    material[0, 10:] = light
    seen = scene.visible
    assert seen is not None
    radiance = material[:, :3] * np.array(light, np.float32)
    radiance[0] = light
    images = np.where((seen >= 0)[..., None], radiance[seen.clip(0)], 0).astype(np.float16)
    return dataclasses.replace(scene, material=material, images=images)


def same_scene_under_different_lights() -> list[TrainingScene]:
    rng = np.random.default_rng(0)
    return [lit_scene(0, tuple(rng.uniform(0.1, 1.0, 3))) for _ in range(SCENES)]


def decibels(errors: list[torch.Tensor]) -> float:
    """-10 log10(mean squared error) over all errors."""
    return -10 * torch.log10(torch.cat(errors).square().mean()).item()


def quality(model: RenderFormer, scenes: list[TrainingScene]) -> float:
    """PSNR of the pixels that see a surface, on clamp(log2(1 + radiance), 0, 1)."""
    errors = []
    for scene in scenes:
        prediction, truth = (low_dynamic_range(x) for x in predict(model.eval(), scene, RESOLUTION))
        errors.append((prediction - truth)[torch.from_numpy(scene.visible > 0)])
    return decibels(errors)


def best_quality_without_light(scenes: list[TrainingScene]) -> float:
    """The best PSNR of a network without information about the light, which predicts the mean of the images."""
    truth = torch.stack([low_dynamic_range(log_radiance(torch.from_numpy(s.images).float())) for s in scenes])
    return decibels([(truth - truth.mean(0))[:, torch.from_numpy(scenes[0].visible > 0)]])


@contextmanager
def layers_disabled() -> Iterator[None]:
    """The output of every layer of both stages is its input."""
    layers = ViewIndependentLayer | ViewDependentLayer
    hook = register_module_forward_hook(
        lambda module, inputs, _output: inputs[0] if isinstance(module, layers) else None
    )
    try:
        yield
    finally:
        hook.remove()


def overfitted(scenes: list[TrainingScene], out: Path, steps: int) -> RenderFormer:
    model = fresh_model()
    options = train_options(
        out, steps=steps, batch=5, warmup=10, rate=3e-3, ema=0.98, overfit=SCENES, validate_every=10**6
    )
    fit(model, TrainingData(scenes, scenes[:1]), options, RecordingCallbacks())
    return model


def test_without_layers_the_light_cannot_be_learned(tmp_path: Path) -> None:
    scenes = same_scene_under_different_lights()
    with layers_disabled():
        assert quality(overfitted(scenes, tmp_path, 40), scenes) < best_quality_without_light(scenes) + 0.1


@pytest.mark.slow
def test_ten_scenes_are_overfitted(tmp_path: Path) -> None:
    """The scenes differ in their light only, so the best quality without it is known in closed form."""
    scenes = same_scene_under_different_lights()
    assert quality(overfitted(scenes, tmp_path, 300), scenes) > best_quality_without_light(scenes) + 12
