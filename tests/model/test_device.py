"""bf16 is chosen if matrix products in it are measured to be faster. Most tests replace the measurement."""

from pathlib import Path

import pytest
import torch

import rfcli
from rfcli.errors import InputError
from rfcli.metrics.similarity import psnr
from rfcli.model import device, pick_device
from rfcli.model.device import fastest_precision
from rfcli.model.rendering import chosen_precision

SCENE = Path(__file__).parents[2] / "examples" / "cornell-box.json"
CPU = torch.device("cpu")


def set_speedups(monkeypatch: pytest.MonkeyPatch, speedups: dict[int, float]) -> list[int]:
    """Makes products of these sizes faster in bf16 by these factors; returns the list of measured sizes."""
    measured = []

    def seconds(size: int, dtype: torch.dtype, device: torch.device) -> float:
        measured.append(size)
        return 1.0 if dtype == torch.float32 else 1.0 / speedups[size]

    monkeypatch.setattr(device, "_product_seconds", seconds)
    return measured


@pytest.mark.parametrize(
    ("speedups", "expected"),
    [
        ({256: 1.0, 1024: 4.0}, "bf16"),
        ({256: 4.0, 1024: 1.2}, "fp32"),  # too little to be worth its rounding
        ({256: 1 / 90, 1024: 4.0}, "fp32"),
    ],
)
def test_auto_chooses_the_faster_precision(
    monkeypatch: pytest.MonkeyPatch, speedups: dict[int, float], expected: str
) -> None:
    set_speedups(monkeypatch, speedups)
    assert chosen_precision("auto", CPU) == expected
    assert fastest_precision(CPU) == {"bf16": torch.bfloat16, "fp32": torch.float32}[expected]


def test_large_product_is_not_measured_where_bf16_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = set_speedups(monkeypatch, {256: 1 / 90, 1024: 1 / 90})
    fastest_precision(CPU)
    assert set(measured) == {256}


def test_named_precision_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = set_speedups(monkeypatch, {})
    assert [chosen_precision(name, CPU) for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    assert measured == []
    with pytest.raises(InputError, match=r"`precision` 'half'.*auto"):
        chosen_precision("half", CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_device_is_measured() -> None:
    cuda = torch.device("cuda")
    assert device._product_seconds(256, torch.bfloat16, cuda) > 0
    assert fastest_precision(cuda) in (torch.float32, torch.bfloat16)


def test_cpu_is_measured() -> None:
    assert device._product_seconds(64, torch.float32, CPU) > 0
    assert fastest_precision(CPU) in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize("available", [{"cuda", "mps"}, {"mps"}, set()])
def test_auto_prefers_cuda_to_mps_to_cpu(monkeypatch: pytest.MonkeyPatch, available: set[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in available)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in available)
    expected = next(name for name in ("cuda", "mps", "cpu") if name in {*available, "cpu"})
    assert pick_device("auto") == torch.device(expected)
    for name in ("cuda", "mps"):
        if name in available:
            assert pick_device(name) == torch.device(name)
        else:
            with pytest.raises(InputError, match=f"`device` '{name}' is not available"):
                pick_device(name)


def test_bf16_image_is_close_and_the_view_dependent_stage_stays_in_float32() -> None:
    """Bundled model: the images differ, so bf16 was used, with a PSNR of at least 50 dB."""
    model, scene = rfcli.load_model("tiny", device="cpu"), rfcli.load_scene(SCENE)
    triangles, vn, material, c2w, fov = (
        torch.from_numpy(array)[None]
        for array in (scene.triangles, scene.vn, scene.material, scene.c2w[:1], scene.fov[:1])
    )
    output_dtypes: dict[str, set[torch.dtype]] = {"transformer": set(), "view_transformer": set()}
    for stage, dtypes in output_dtypes.items():
        for module in getattr(model, stage).modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                module.register_forward_hook(lambda _module, _inputs, out, dtypes=dtypes: dtypes.add(out.dtype))
    exact, rounded = (
        rfcli.render(model, triangles, vn, c2w, fov, material=material, resolution=64, precision=name)[0]
        for name in ("fp32", "bf16")
    )
    assert output_dtypes == {"transformer": {torch.float32, torch.bfloat16}, "view_transformer": {torch.float32}}
    assert not torch.equal(exact, rounded)
    assert psnr(torch.log10(1 + rounded), torch.log10(1 + exact)) >= 50
