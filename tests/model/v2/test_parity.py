"""RenderFormer-V2 against recorded outputs of the official code, with random weights (tests/golden/README.md)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from rfcli.model import RenderFormer, read_checkpoint
from rfcli.model.architectures import build
from rfcli.model.checkpoint import read_config
from rfcli.model.v2 import RenderFormerV2, V2Batch, network_output
from tests.support.v2_scenes import LARGE_V2_GOLDEN, V2_GOLDEN, recording

TOLERANCE = 1e-4
CASES = [
    V2_GOLDEN / "volumes" / "case-mixed.npz",
    *sorted(path for path in Path(LARGE_V2_GOLDEN).glob("*/case-*.npz") if path.parent.name != "hilbert"),
]


@pytest.fixture(params=CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def case(request: pytest.FixtureRequest) -> tuple[RenderFormerV2, dict[str, Tensor]]:
    path: Path = request.param
    model = read_checkpoint(path.parent)
    assert isinstance(model, RenderFormerV2)
    return model, recording(str(path))


def assert_sequence_matches(model: RenderFormerV2, arrays: dict[str, Tensor]) -> None:
    batch, real = V2Batch.from_tensors(arrays), arrays["out_valid"]
    context = model.context(batch)
    assert torch.equal(torch.ones_like(real) if context.key_mask is None else context.key_mask, real)
    assert [len(plan.sinks) for plan in context.plan] == arrays["out_sink_lens"].tolist()
    positions = model.view_transformer.token_positions(batch)
    assert (positions - arrays["out_positions"])[real].abs().max() < 1e-6
    assert (model.tokens(batch) - arrays["out_sequence"])[real].abs().max() < TOLERANCE


@torch.no_grad()
def test_sequence_and_encoded_tokens_match(case: tuple[RenderFormerV2, dict[str, Tensor]]) -> None:
    model, arrays = case
    assert_sequence_matches(model, arrays)
    encoded = model.view_independent(V2Batch.from_tensors(arrays))
    real = arrays["out_valid"]
    assert (encoded - arrays["out_encoded"])[real].abs().max() < TOLERANCE


@torch.no_grad()
def test_images_match_and_inputs_are_unchanged(case: tuple[RenderFormerV2, dict[str, Tensor]]) -> None:
    model, arrays = case
    before = {name: array.clone() for name, array in arrays.items()}
    raw = network_output(model, arrays, int(arrays["resolution"]))
    assert raw.shape == arrays["out_raw"].shape
    assert (raw - arrays["out_raw"]).abs().max() < TOLERANCE
    if "out_hdr" in arrays:
        hdr = model.decode(raw).permute(0, 1, 3, 4, 2)
        assert ((hdr - arrays["out_hdr"]) / (1 + arrays["out_hdr"])).abs().max() < TOLERANCE
    assert all(torch.equal(before[name], array) for name, array in arrays.items())


@torch.no_grad()
def test_sequence_with_an_environment_matches() -> None:
    folder = V2_GOLDEN / "environment-tokens"
    model = build(read_config(folder / "config.json"))
    assert isinstance(model, RenderFormerV2)
    missing, surplus = model.load_state_dict(load_file(folder / "tokens.safetensors"), strict=False)
    assert not surplus
    assert all(".layers." in name or "out_dpt" in name for name in missing)
    assert_sequence_matches(model, recording(str(folder / "tokens-two-views.npz")))


def test_model_is_a_renderformer_of_its_own_class() -> None:
    model = RenderFormer.from_pretrained(V2_GOLDEN / "volumes")
    assert type(model) is RenderFormerV2
