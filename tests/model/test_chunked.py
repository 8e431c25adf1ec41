"""Token-wise functions computed in chunks, against all tokens at once."""

import pytest
import torch

from rfcli.model import SceneBatch
from rfcli.model.chunked import chunked
from rfcli.model.rendering import render_timed
from rfcli.model.view_dependent import ViewDependentLayer
from tests.support.model_scenes import VARIANTS, cameras, random_batch, small_model

TRIANGLES = 23


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 5 tokens: registers and triangles fall into several chunks, the last one shorter."""
    monkeypatch.setattr("rfcli.model.chunked.CHUNK_CPU", 5)


def scenes() -> SceneBatch:
    return random_batch(scenes=2, triangles=TRIANGLES)


@pytest.mark.parametrize("changes", VARIANTS)
def test_chunks_do_not_change_the_image(changes: dict[str, object], small_chunks: None) -> None:
    """With gradients enabled there is a single chunk."""
    model, (c2w, fov) = small_model(**changes), cameras(scenes=2)
    whole = model(scenes(), c2w, fov, 32)
    assert whole.requires_grad
    with torch.no_grad():
        parts = model(scenes(), c2w, fov, 32)
    assert (parts - whole).abs().max() <= 2e-6 * whole.abs().max()


@pytest.mark.parametrize("changes", VARIANTS)
def test_keys_kept_for_all_views_equal_those_of_each_view(
    changes: dict[str, object], small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are computed once per layer, and without kept keys once per layer and view."""
    model, (c2w, fov) = small_model(**changes), cameras(scenes=2, views=3)
    calls = []
    keys_values = ViewDependentLayer.keys_values
    monkeypatch.setattr(
        ViewDependentLayer, "keys_values", lambda *arguments: calls.append(1) or keys_values(*arguments)
    )
    images = []
    for share in (0.0, 1.0):
        monkeypatch.setattr("rfcli.model.rendering.MAX_KEPT_SHARE", share)
        images.append(render_timed(model, scenes(), c2w, fov, 32)[0])
    layers = model.config.view_transformer_n_layers
    kept_calls = 3 if model.config.pe_type == "nerf" else 1  # with NeRF encodings they depend on the camera
    assert len(calls) == (3 + kept_calls) * layers
    assert torch.allclose(*images, rtol=1e-6, atol=1e-6 * float(images[0].abs().max()))


def test_function_is_called_once_per_chunk(small_chunks: None) -> None:
    x = torch.arange(24.0).view(1, 12, 2)
    lengths: list[int] = []

    def fn(part: slice) -> list[torch.Tensor]:
        lengths.append(x[:, part].shape[1])
        return [x[:, part] + 1, x[None, :, part, :1]]

    with torch.no_grad():
        added, first = chunked(fn, x)
    assert lengths == [5, 5, 2]
    assert torch.equal(added, x + 1)
    assert torch.equal(first, x[None, :, :, :1])
    chunked(fn, x)  # with gradients
    assert lengths == [5, 5, 2, 12]


def test_layers_leave_their_input_unchanged(small_chunks: None) -> None:
    """Hooks may keep references to inputs and outputs of layers."""
    model, batch = small_model(), scenes()
    with torch.no_grad():
        tokens = model.tokens(batch)
        before = tokens.clone()
        model.transformer.layers[0](tokens, model.rotation(batch), model.context(batch))
    assert torch.equal(tokens, before)
