"""The network against what the official code computed, on random weights."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import rfcli
from rfcli.model import RenderFormer, SceneBatch, read_checkpoint

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "pub-rope-nodpt"
OTHERS = Path(os.environ.get("RF_PARITY", ROOT.parent / "shared" / "parity"))
OURS = sorted(path.parent for path in GOLDEN.parent.glob("*/config.json"))
FIXTURES = [*OURS, OTHERS / "pub-rope-dpt", OTHERS / "pub-swin-large-like"]
TOLERANCE = 1e-4  # of the largest reference value

Arrays = dict[str, torch.Tensor]


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def case(request: pytest.FixtureRequest) -> tuple[RenderFormer, Arrays]:
    folder: Path = request.param
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not here; set RF_PARITY to the folder of fixtures")
    arrays = np.load(next(folder.glob("case-*.npz")))
    return read_checkpoint(folder), {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def deviation(ours: torch.Tensor, reference: torch.Tensor) -> float:
    return float((ours - reference).abs().max() / reference.abs().max())


def test_tokens_after_the_view_independent_stage(case: tuple[RenderFormer, Arrays]) -> None:
    model, arrays = case
    batch = SceneBatch(arrays["triangles"], arrays["vn"], arrays["mask"], texture=arrays["texture"])
    with torch.no_grad():
        tokens = model.view_independent(batch)
    registers = model.config.num_register_tokens
    real = torch.nn.functional.pad(arrays["mask"], (registers, 0), value=True)
    assert deviation(tokens[real], arrays["enc_tokens"][real]) <= TOLERANCE


def test_images_and_untouched_inputs(case: tuple[RenderFormer, Arrays]) -> None:
    model, arrays = case
    before = {name: array.clone() for name, array in arrays.items()}
    inputs = [arrays[name] for name in ("triangles", "vn", "c2w", "fov")]
    options = {"texture": arrays["texture"], "mask": arrays["mask"], "resolution": int(arrays["resolution"])}
    images = rfcli.render(model, *inputs, **options)
    assert deviation(images, arrays["output"]) <= TOLERANCE
    assert all(torch.equal(before[name], array) for name, array in arrays.items())
    assert torch.equal(images, rfcli.render(model, *inputs, **options))
