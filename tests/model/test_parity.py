"""The network against recorded outputs of the official code, with random weights (tests/golden/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

import rfcli
from rfcli.model import RenderFormer, SceneBatch, read_checkpoint
from tests.support.model_official import GOLDEN, LARGE_GOLDEN, TOLERANCE, deviation

FOLDERS = [
    *sorted(path.parent for path in GOLDEN.glob("*/config.json")),
    LARGE_GOLDEN / "pub-rope-dpt",
    LARGE_GOLDEN / "pub-swin-large-like",
]

Arrays = dict[str, torch.Tensor]


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def recording(request: pytest.FixtureRequest) -> tuple[RenderFormer, Arrays]:
    folder: Path = request.param
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not here; set RF_PARITY to the folder of recordings")
    arrays = np.load(next(folder.glob("case-*.npz")))
    return read_checkpoint(folder), {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def test_view_independent_tokens_match_official_code(recording: tuple[RenderFormer, Arrays]) -> None:
    model, arrays = recording
    batch = SceneBatch(arrays["triangles"], arrays["vn"], arrays["mask"], texture=arrays["texture"])
    with torch.no_grad():
        tokens = model.view_independent(batch)
    registers = model.config.num_register_tokens
    real = torch.nn.functional.pad(arrays["mask"], (registers, 0), value=True)
    assert deviation(tokens[real], arrays["enc_tokens"][real]) <= TOLERANCE


def test_images_match_official_code_and_inputs_are_unchanged(recording: tuple[RenderFormer, Arrays]) -> None:
    model, arrays = recording
    before = {name: array.clone() for name, array in arrays.items()}
    inputs = [arrays[name] for name in ("triangles", "vn", "c2w", "fov")]
    options = {"texture": arrays["texture"], "mask": arrays["mask"], "resolution": int(arrays["resolution"])}
    images = rfcli.render(model, *inputs, **options)
    assert deviation(images, arrays["output"]) <= TOLERANCE
    assert all(torch.equal(before[name], array) for name, array in arrays.items())
    assert torch.equal(images, rfcli.render(model, *inputs, **options))
