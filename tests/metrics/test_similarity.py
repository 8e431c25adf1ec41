"""PSNR, SSIM and tone mapping against their formulas."""

import pytest
import torch

from rfcli.metrics import log_radiance, low_dynamic_range, psnr, ssim


def test_tone_mapping_is_the_published_one() -> None:
    radiance = torch.tensor([0.0, 0.5, 1.0, 7.0])
    expected = torch.clamp(torch.log2(1 + radiance), 0, 1)
    assert torch.allclose(low_dynamic_range(log_radiance(radiance)), expected, atol=1e-6)


def test_psnr_and_ssim_of_a_known_offset() -> None:
    truth = log_radiance(torch.full((1, 16, 16, 3), 0.5))
    offset = torch.log10(torch.tensor(2.0)) * 0.1  # a tenth on the scale of log2(1 + radiance)
    assert psnr(truth + offset, truth).item() == pytest.approx(20.0, abs=1e-3)
    assert ssim(truth, truth).item() == pytest.approx(1.0, abs=1e-5)
    assert ssim(truth + offset, truth).item() < 1.0
