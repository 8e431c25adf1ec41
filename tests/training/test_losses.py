"""Every term of the loss reaches the first layer, and is what its formula says."""

import sys
from types import SimpleNamespace

import pytest
import torch

from rfcli.training.batch import collate
from rfcli.training.losses import PERCEPTUAL_WEIGHT, image_loss
from rfcli.training.metrics import psnr, structural_similarity
from rfcli.training.perceptual import LPIPS, Structural, perceptual_term
from rfcli.training.tone import log_radiance, low_dynamic_range
from tests.training.scenes import RESOLUTION, fresh_model, training_scene


@pytest.mark.parametrize("term", ["log_l1", "perceptual"])
def test_each_term_has_a_gradient_at_the_first_layer(term: str) -> None:
    model = fresh_model()
    batch = collate([training_scene(0)], torch.device("cpu"))
    prediction = model(batch.scenes, batch.c2w, batch.fov, RESOLUTION, batch.visible)
    getattr(image_loss(prediction, batch.truth, Structural()), term).backward()
    for first in (model.texture_encoder.weight, model.transformer.attentions()[0].in_proj.weight):
        assert first.grad is not None
        assert first.grad.abs().max() > 0


def test_the_gradient_is_the_finite_difference() -> None:
    generator = torch.Generator().manual_seed(0)
    x = (0.25 * torch.rand(1, 1, 16, 16, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    truth = 0.25 * torch.rand(1, 1, 16, 16, 3, generator=generator, dtype=torch.float64)
    direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    loss = image_loss(x, truth, Structural()).total
    (gradient,) = torch.autograd.grad(loss, x)
    step = 1e-6
    ends = [image_loss(x.detach() + s * step * direction, truth, Structural()).total for s in (1, -1)]
    assert (gradient * direction).sum().item() == pytest.approx(((ends[0] - ends[1]) / (2 * step)).item(), rel=1e-4)


def test_values() -> None:
    truth = log_radiance(torch.full((1, 2, 16, 16, 3), 0.5))
    loss = image_loss(truth + 0.1, truth, Structural())
    assert loss.log_l1.item() == pytest.approx(0.1, rel=1e-4)
    assert loss.total.item() == pytest.approx(0.1 + PERCEPTUAL_WEIGHT * loss.perceptual.item(), rel=1e-4)
    equal = image_loss(truth, truth, Structural())
    assert equal.total.item() == pytest.approx(0.0, abs=1e-6)


def test_tone_mapping_is_the_published_one() -> None:
    radiance = torch.tensor([0.0, 0.5, 1.0, 7.0])
    expected = torch.clamp(torch.log2(1 + radiance), 0, 1)
    assert torch.allclose(low_dynamic_range(log_radiance(radiance)), expected, atol=1e-6)


def test_lpips_gets_images_between_minus_one_and_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """LPIPS was fed 0..1 once, in the experiment that this project succeeds."""
    seen: list[torch.Tensor] = []

    class Distance(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            seen.extend([a, b])
            return (a - b).square().mean((1, 2, 3), keepdim=True)

    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=lambda **_options: Distance()))
    image = torch.rand(2, 16, 16, 3)
    image[0, 0, 0], image[0, 0, 1] = 0.0, 1.0
    assert LPIPS()(image, 1 - image).item() == pytest.approx((4 * (image - 0.5) ** 2).mean().item() * 4, rel=1e-3)
    assert seen[0].shape == (2, 3, 16, 16)
    assert (seen[0].min().item(), seen[0].max().item()) == (-1.0, 1.0)


def test_without_its_backbone_lpips_gives_way_to_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfcli.training.perceptual.backbone_on_disk", lambda: None)
    assert perceptual_term(torch.device("cpu")).name == "ssim"


def test_psnr_and_ssim() -> None:
    truth = log_radiance(torch.full((1, 16, 16, 3), 0.5))
    offset = torch.log10(torch.tensor(2.0)) * 0.1  # a tenth on the scale of log2(1 + radiance)
    assert psnr(truth + offset, truth).item() == pytest.approx(20.0, abs=1e-3)
    assert structural_similarity(truth, truth).item() == pytest.approx(1.0, abs=1e-5)
    assert structural_similarity(truth + offset, truth).item() < 1.0
