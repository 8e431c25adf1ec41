"""Steps whose loss or gradients are not finite: passed over, and the first of them kept so that it can be repeated."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from rfcli.metrics.perceptual import Perceptual
from rfcli.model import RenderFormer, RenderFormerConfig, SceneBatch
from rfcli.runtime.files import replacing
from rfcli.training.batch import TrainingBatch
from rfcli.training.losses import step_loss

MOST_IN_A_ROW = 20  # more than bad luck with a batch


def write_bad_step(
    out: Path,
    step: int,
    model: RenderFormer,
    teacher: RenderFormer | None,
    batch: TrainingBatch,
    precision: torch.dtype,
) -> Path:
    """Keep all that a step depended on; returns the file. teacher: where the step was one of attention transfer."""
    path = out / f"bad-step-{step:08d}.pt"
    values = {
        "step": step,
        "precision": str(precision).removeprefix("torch."),
        "model": _model(model),
        "teacher": None if teacher is None else _model(teacher),
        "batch": {**_tensors(batch), "scenes": _tensors(batch.scenes)},
    }
    with replacing(path) as beside:
        torch.save(values, beside)
    return path


def repeat_bad_step(path: Path, perceptual: Perceptual) -> tuple[float, float]:
    """Loss and norm of the gradient of the step in `path` once more, on the CPU."""
    kept = torch.load(path, map_location="cpu", weights_only=True)
    batch = TrainingBatch(**{**kept["batch"], "scenes": SceneBatch(**kept["batch"]["scenes"])})
    model = _restored(kept["model"])
    teacher = _restored(kept["teacher"]) if kept["teacher"] else None
    loss = step_loss(model, teacher, batch, perceptual, getattr(torch, kept["precision"]))["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return loss.item(), torch.nn.utils.get_total_norm(gradients).item()


def _model(model: RenderFormer) -> dict[str, Any]:
    return {"config": model.config.to_dict(), "weights": model.state_dict()}


def _restored(kept: dict[str, Any]) -> RenderFormer:
    model = RenderFormer(RenderFormerConfig.from_dict(kept["config"]))
    model.load_state_dict(kept["weights"])
    return model.train()


def _tensors(given: TrainingBatch | SceneBatch) -> dict[str, Any]:
    return {field.name: getattr(given, field.name) for field in fields(given)}
