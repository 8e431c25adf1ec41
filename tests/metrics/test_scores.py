"""HDR-FLIP and the scores of whole images, for pairs of known order or value."""

import numpy as np
import pytest
import torch

from rfcli.metrics import Scores, hdr_flip, score


def picture(seed: int = 0) -> np.ndarray:
    """Smooth HDR radiance on the left, black surroundings on the right 60 %."""
    x, y = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 48))
    image = np.stack([np.exp(2 * np.sin(5 * x + seed) + y), 1 + x, 0.2 + y * x], -1).astype(np.float32)
    image[:, 26:] = 0
    return image


def test_flip_is_0_for_equal_images_and_grows_with_the_error() -> None:
    truth = picture()
    errors = [hdr_flip(truth * factor, truth)[0] for factor in (1.0, 1.05, 1.3, 2.0)]
    assert errors[0] == 0
    assert errors == sorted(errors)
    assert 0.3 > errors[2] > errors[1] + 0.01


def test_flip_map_is_bright_at_the_error() -> None:
    truth = picture()
    image = truth.copy()
    image[10:20, 5:15] *= 3
    _, error = hdr_flip(image, truth)
    assert error.shape == truth.shape
    brightness = error.sum(-1)
    assert brightness[10:20, 5:15].mean() > 5 * brightness[40:, 40:].mean()


def test_flip_ignores_a_millionth_of_light_in_the_black_surroundings() -> None:
    """As published, a median luminance of 0 leads to 24 stops of exposure, at which the millionth is white."""
    import flip_evaluator

    truth = picture()
    assert flip_evaluator.evaluate(truth, truth + 1e-6, "HDR")[1] > 0.3
    assert hdr_flip(truth + 1e-6, truth)[0] < 1e-3


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_flip_of_black_and_of_constant_references(level: float) -> None:
    reference = np.full((16, 16, 3), level, np.float32)
    assert hdr_flip(reference, reference)[0] == 0
    assert 0 < hdr_flip(reference + 1, reference)[0] <= 1
    assert hdr_flip(reference - 5, reference)[0] == pytest.approx(hdr_flip(0 * reference, reference)[0])


def test_scores_of_a_known_offset_on_the_log_scale() -> None:
    truth = np.full((24, 24, 3), 0.4, np.float32)
    image = np.float32(2**0.1) * (1 + truth) - 1  # log2(1 + x) is larger by 0.1 everywhere: 20 dB
    scores, error = score(image, truth)
    assert scores.psnr == pytest.approx(20.0, abs=1e-3)
    assert 0.5 < scores.ssim < 1
    assert 0 < scores.flip < 1
    assert error.shape == truth.shape


def test_scores_list_the_measured_metrics() -> None:
    assert Scores(20.0, 0.9, 0.1, None).as_dict() == {"psnr": 20.0, "ssim": 0.9, "flip": 0.1}
    assert Scores(20.0, 0.9, 0.1, 0.25).as_dict()["lpips"] == 0.25
    assert Scores(20.0, 0.9, 0.1, None).line() == "PSNR 20.00 dB, SSIM 0.900, FLIP 0.100"
    assert Scores(20.0, 0.9, 0.1, 0.25).line().endswith("LPIPS 0.250")


def test_lpips_is_measured_if_its_backbone_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs: list[torch.Tensor] = []

    def distance(image: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        inputs.extend([image, reference])
        return (image - reference).abs().mean()

    monkeypatch.setattr("rfcli.metrics.scores.lpips", lambda: distance)
    truth = np.full((16, 16, 3), 0.4, np.float32)
    scores, _ = score(np.float32(2**0.1) * (1 + truth) - 1, truth)
    assert scores.lpips == pytest.approx(0.1, abs=1e-4)  # on clamp(log2(1 + radiance), 0, 1)
    assert inputs[0].shape == (1, 16, 16, 3)
