"""bf16 is chosen where products in it are measured to be faster, on clocks that the test sets."""

from pathlib import Path

import pytest
import torch

import rfcli
from rfcli.errors import InputError
from rfcli.metrics.similarity import psnr
from rfcli.model import device as precision
from rfcli.model.device import fastest_precision
from rfcli.model.rendering import chosen_precision

SCENE = Path(__file__).parents[2] / "examples" / "cornell-box.json"

CPU = torch.device("cpu")


def clock(monkeypatch: pytest.MonkeyPatch, gains: dict[int, float]) -> list[int]:
    """Products of these sizes are faster in bf16 by these factors; the sizes that were measured."""
    measured = []

    def seconds(size: int, dtype: torch.dtype, device: torch.device) -> float:
        measured.append(size)
        return 1.0 if dtype == torch.float32 else 1.0 / gains[size]

    monkeypatch.setattr(precision, "_product_seconds", seconds)
    return measured


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ({256: 1.0, 1024: 4.0}, "bf16"),
        ({256: 4.0, 1024: 1.2}, "fp32"),  # not worth its rounding
        ({256: 1 / 90, 1024: 4.0}, "fp32"),
    ],
)
def test_what_is_faster_is_chosen(monkeypatch: pytest.MonkeyPatch, gains: dict[int, float], expected: str) -> None:
    clock(monkeypatch, gains)
    assert chosen_precision("auto", CPU) == expected
    assert fastest_precision(CPU) == {"bf16": torch.bfloat16, "fp32": torch.float32}[expected]


def test_emulated_bf16_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = clock(monkeypatch, {256: 1 / 90, 1024: 1 / 90})
    fastest_precision(CPU)
    assert set(measured) == {256}


def test_what_is_asked_for_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = clock(monkeypatch, {})
    assert [chosen_precision(name, CPU) for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    assert measured == []
    with pytest.raises(InputError, match=r"'half'.*auto"):
        chosen_precision("half", CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_graphics_card_is_measured_too() -> None:
    card = torch.device("cuda")
    assert precision._product_seconds(256, torch.bfloat16, card) > 0
    assert fastest_precision(card) in (torch.float32, torch.bfloat16)


def test_the_measurement_is_of_this_machine() -> None:
    assert precision._product_seconds(64, torch.float32, CPU) > 0
    assert fastest_precision(CPU) in (torch.float32, torch.bfloat16)


def test_the_picture_in_bf16_is_the_picture_and_the_view_stage_stays_in_float32() -> None:
    """The bundled model: at least 50 dB between the two, and rounding that shows that bf16 was used at all."""
    model, scene = rfcli.load_model("tiny", device="cpu"), rfcli.load_scene(SCENE)
    triangles, vn, material, c2w, fov = (
        torch.from_numpy(array)[None]
        for array in (scene.triangles, scene.vn, scene.material, scene.c2w[:1], scene.fov[:1])
    )
    made: dict[str, set[torch.dtype]] = {"transformer": set(), "view_transformer": set()}
    for stage, dtypes in made.items():
        for module in getattr(model, stage).modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                module.register_forward_hook(lambda _module, _given, out, dtypes=dtypes: dtypes.add(out.dtype))
    exact, rounded = (
        rfcli.render(model, triangles, vn, c2w, fov, material=material, resolution=64, precision=name)[0]
        for name in ("fp32", "bf16")
    )
    assert made == {"transformer": {torch.float32, torch.bfloat16}, "view_transformer": {torch.float32}}
    assert not torch.equal(exact, rounded)
    assert psnr(torch.log10(1 + rounded), torch.log10(1 + exact)) >= 50
