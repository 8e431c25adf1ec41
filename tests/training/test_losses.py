"""The terms of the loss: values, gradients, and number formats."""

from pathlib import Path

import pytest
import torch

from rfcli.metrics.perceptual import LPIPS, StructuralDistance
from rfcli.metrics.similarity import log_radiance
from rfcli.training.batch import collate
from rfcli.training.losses import PERCEPTUAL_WEIGHT, image_loss, reduced_precision_views, step_loss
from tests.support.lpips_backbone import write_backbone
from tests.support.training_scenes import RESOLUTION, fresh_model, training_scene


@pytest.mark.parametrize("term", ["log_l1", "perceptual"])
def test_each_term_has_a_gradient_at_the_first_layer(term: str) -> None:
    model = fresh_model()
    batch = collate([training_scene(0)], torch.device("cpu"))
    prediction = model(batch.scenes, batch.c2w, batch.fov, RESOLUTION, batch.visible)
    getattr(image_loss(prediction, batch.truth, StructuralDistance()), term).backward()
    for first in (model.texture_encoder.weight, model.transformer.attentions()[0].in_proj.weight):
        assert first.grad is not None
        assert first.grad.abs().max() > 0


@pytest.mark.parametrize("kind", ["ssim", "lpips"])
def test_perceptual_weight_scales_the_gradient_at_the_first_layer(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A term that is detached from the graph by mistake has the right value but no effect on the gradient."""
    perceptual = LPIPS(write_backbone(tmp_path / "vgg16.pth")) if kind == "lpips" else StructuralDistance()
    model = fresh_model()
    batch = collate([training_scene(0)], torch.device("cpu"))
    gradients = []
    for weight in (0.0, PERCEPTUAL_WEIGHT, 2 * PERCEPTUAL_WEIGHT):
        monkeypatch.setattr("rfcli.training.losses.PERCEPTUAL_WEIGHT", weight)
        loss = step_loss(model, None, batch, perceptual, torch.float32)["loss"]
        gradients.append(torch.autograd.grad(loss, model.texture_encoder.weight)[0])
    without, once, twice = gradients
    assert (once - without).norm() > 1e-3 * without.norm()
    assert torch.allclose(twice - without, 2 * (once - without), rtol=1e-2, atol=1e-3 * without.abs().max().item())


def test_gradient_matches_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    x = (0.25 * torch.rand(1, 1, 16, 16, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    truth = 0.25 * torch.rand(1, 1, 16, 16, 3, generator=generator, dtype=torch.float64)
    direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    loss = image_loss(x, truth, StructuralDistance()).total
    (gradient,) = torch.autograd.grad(loss, x)
    step = 1e-6
    ends = [image_loss(x.detach() + s * step * direction, truth, StructuralDistance()).total for s in (1, -1)]
    assert (gradient * direction).sum().item() == pytest.approx(((ends[0] - ends[1]) / (2 * step)).item(), rel=1e-4)


def test_values() -> None:
    truth = log_radiance(torch.full((1, 2, 16, 16, 3), 0.5))
    loss = image_loss(truth + 0.1, truth, StructuralDistance())
    assert loss.log_l1.item() == pytest.approx(0.1, rel=1e-4)
    assert loss.total.item() == pytest.approx(0.1 + PERCEPTUAL_WEIGHT * loss.perceptual.item(), rel=1e-4)
    equal = image_loss(truth, truth, StructuralDistance())
    assert equal.total.item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("gpu", [False, True])
def test_stages_computed_in_bf16(gpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU both stages, on a GPU only the first one. The loss is float32."""
    if gpu:
        name = "rfcli.training.losses.reduced_precision_views"
        monkeypatch.setattr(name, lambda device: reduced_precision_views("cuda"))
    model, batch = fresh_model(), collate([training_scene(0)], torch.device("cpu"))
    made: dict[str, set[torch.dtype]] = {"transformer": set(), "view_transformer": set()}
    for stage, dtypes in made.items():
        for module in getattr(model, stage).modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                module.register_forward_hook(lambda _module, _given, out, dtypes=dtypes: dtypes.add(out.dtype))
    terms = step_loss(model, None, batch, StructuralDistance(), torch.bfloat16)
    second = torch.float32 if gpu else torch.bfloat16
    assert made == {"transformer": {torch.bfloat16}, "view_transformer": {second}}
    assert {term.dtype for term in terms.values()} == {torch.float32}
    exact = step_loss(model, None, batch, StructuralDistance(), torch.float32)["loss"].item()
    assert terms["loss"].item() == pytest.approx(exact, rel=0.02)
    assert terms["loss"].item() != exact
