"""LPIPS with a random backbone against the published formula, written once more; and what happens without one."""

from hashlib import sha256
from pathlib import Path

import lpips
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.errors import InputError
from rfcli.metrics.perceptual import BACKBONE, LPIPS, perceptual_term
from tests.support.lpips_backbone import CONVOLUTIONS, write_backbone

CPU = torch.device("cpu")
BLOCK_ENDS = (2, 7, 14, 21, 28)  # the convolutions whose rectified outputs are compared


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


def test_formula(backbone: Path, term: LPIPS) -> None:
    """Images in 0..1 are compared in -1..1, in which the experiment that this project succeeds erred."""
    generator = torch.Generator().manual_seed(1)
    image, reference = torch.rand(2, 1, 16, 16, 3, generator=generator)
    weights = torch.load(backbone, weights_only=True)
    linear = torch.load(Path(lpips.__file__).parent / "weights/v0.1/vgg.pth", map_location="cpu")
    ours, theirs = (features(2 * x[0].permute(2, 0, 1) - 1, weights) for x in (image, reference))
    expected = sum(
        (linear[f"lin{level}.model.1.weight"][0] * (a - b).square()).sum(0).mean().item()
        for level, (a, b) in enumerate(zip(ours, theirs, strict=True))
    )
    assert term(image, reference).item() == pytest.approx(expected, rel=1e-4)
    assert term(image, image).item() == 0


def test_it_is_differentiable_and_not_trained(term: LPIPS) -> None:
    generator = torch.Generator().manual_seed(2)
    image, reference, direction = torch.rand(3, 1, 16, 16, 3, generator=generator, dtype=torch.float64)
    exact = term.double()
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(exact(image, reference), image)
    ends = [exact(image.detach() + s * 1e-6 * direction, reference).item() for s in (1, -1)]
    assert (gradient * direction).sum().item() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4)
    assert not any(parameter.requires_grad for parameter in term.parameters())
    term.float()


def test_the_backbone_is_recorded(backbone: Path, term: LPIPS) -> None:
    assert term.made_of == f"lpips, backbone {sha256(backbone.read_bytes()).hexdigest()[:8]}"


def test_without_its_backbone_lpips_gives_way_to_structure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    assert perceptual_term(CPU).made_of == "ssim"
    cached = tmp_path / "checkpoints" / BACKBONE
    cached.parent.mkdir()
    write_backbone(cached)
    assert perceptual_term(CPU).name == "lpips"


@pytest.mark.parametrize("content", [None, b"torn", {"features.0.weight": torch.zeros(1)}])
def test_a_file_that_is_no_backbone(tmp_path: Path, content: object) -> None:
    path = tmp_path / "some.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=r"some\.pth .*; give --lpips-weights torchvision's"):
        perceptual_term(CPU, path)
