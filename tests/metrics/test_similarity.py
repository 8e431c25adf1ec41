"""Metrics are what their formulas say."""

import sys
from types import SimpleNamespace

import pytest
import torch

from rfcli.metrics.perceptual import LPIPS, perceptual_term
from rfcli.metrics.similarity import psnr, structural_similarity
from rfcli.metrics.tone import log_radiance, low_dynamic_range


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
    monkeypatch.setattr("rfcli.metrics.perceptual.backbone_on_disk", lambda: None)
    assert perceptual_term(torch.device("cpu")).name == "ssim"


def test_psnr_and_ssim() -> None:
    truth = log_radiance(torch.full((1, 16, 16, 3), 0.5))
    offset = torch.log10(torch.tensor(2.0)) * 0.1  # a tenth on the scale of log2(1 + radiance)
    assert psnr(truth + offset, truth).item() == pytest.approx(20.0, abs=1e-3)
    assert structural_similarity(truth, truth).item() == pytest.approx(1.0, abs=1e-5)
    assert structural_similarity(truth + offset, truth).item() < 1.0
