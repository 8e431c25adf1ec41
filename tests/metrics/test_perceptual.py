"""LPIPS with a random backbone against the published formula; SSIM without a backbone."""

from hashlib import sha256
from pathlib import Path

import lpips
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.errors import InputError
from rfcli.metrics.perceptual import BACKBONE, LPIPS, perceptual_metric
from tests.support.lpips_backbone import CONVOLUTIONS, write_backbone

CPU = torch.device("cpu")
BLOCK_ENDS = (2, 7, 14, 21, 28)  # convolutions whose outputs, after ReLU, are compared


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backbone(tmp_path_factory.mktemp("backbone") / "vgg16.pth")


@pytest.fixture(scope="module")
def term(backbone: Path) -> LPIPS:
    return LPIPS(backbone)


def features(image: Tensor, weights: dict[str, Tensor]) -> list[Tensor]:
    """Unit-length features of [3, H, W] in [-1, 1] at the end of each block."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x, out = ((image - shift[:, None, None]) / scale[:, None, None])[None], []
    for layer, _, _ in CONVOLUTIONS:
        if layer - 3 in BLOCK_ENDS:
            x = F.max_pool2d(x, 2)
        x = F.relu(F.conv2d(x, weights[f"features.{layer}.weight"], weights[f"features.{layer}.bias"], padding=1))
        if layer in BLOCK_ENDS:
            out.append(x[0] / x[0].square().sum(0).sqrt().clamp_min(1e-10))
    return out


def test_lpips_matches_its_formula(backbone: Path, term: LPIPS) -> None:
    """Images in 0..1 are compared in -1..1."""
    generator = torch.Generator().manual_seed(1)
    image, reference = torch.rand(2, 1, 16, 16, 3, generator=generator)
    weights = torch.load(backbone, weights_only=True)
    linear = torch.load(Path(lpips.__file__).parent / "weights/v0.1/vgg.pth", map_location="cpu")
    ours, reference_features = (features(2 * x[0].permute(2, 0, 1) - 1, weights) for x in (image, reference))
    expected = sum(
        (linear[f"lin{level}.model.1.weight"][0] * (a - b).square()).sum(0).mean().item()
        for level, (a, b) in enumerate(zip(ours, reference_features, strict=True))
    )
    assert term(image, reference).item() == pytest.approx(expected, rel=1e-4)
    assert term(image, image).item() == 0


def test_lpips_has_the_right_gradient_and_no_trainable_weights(term: LPIPS) -> None:
    generator = torch.Generator().manual_seed(2)
    image, reference, direction = torch.rand(3, 1, 16, 16, 3, generator=generator, dtype=torch.float64)
    exact = term.double()
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(exact(image, reference), image)
    ends = [exact(image.detach() + s * 1e-6 * direction, reference).item() for s in (1, -1)]
    assert (gradient * direction).sum().item() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4)
    assert not any(parameter.requires_grad for parameter in term.parameters())
    term.float()


def test_description_has_the_hash_of_the_backbone(backbone: Path, term: LPIPS) -> None:
    assert term.description == f"lpips, backbone {sha256(backbone.read_bytes()).hexdigest()[:8]}"


def test_ssim_replaces_lpips_without_a_backbone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    assert perceptual_metric(CPU).description == "ssim"
    cached = tmp_path / "checkpoints" / BACKBONE
    cached.parent.mkdir()
    write_backbone(cached)
    assert perceptual_metric(CPU).name == "lpips"


@pytest.mark.parametrize("content", [None, b"torn", {"features.0.weight": torch.zeros(1)}])
def test_file_without_a_backbone_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "some.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=r"some\.pth .*; give `lpips_weights` torchvision's"):
        perceptual_metric(CPU, path)
