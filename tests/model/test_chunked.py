"""A long scene some tokens at a time, against all of it at once."""

import pytest
import torch

from rfcli.model import SceneBatch
from rfcli.model.chunked import chunked
from rfcli.model.rendering import render_timed
from tests.model.test_renderformer import VARIANTS
from tests.support.model_scenes import cameras, random_batch, small_model

TRIANGLES = 23


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 5 tokens: registers and triangles fall into several, the last one shorter."""
    monkeypatch.setattr("rfcli.model.chunked.CHUNK_CPU", 5)


def scenes() -> SceneBatch:
    return random_batch(scenes=2, triangles=TRIANGLES)


@pytest.mark.parametrize("changes", VARIANTS)
def test_stretches_change_nothing(changes: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without gradients, against the one stretch that there is with them."""
    model, (c2w, fov) = small_model(**changes), cameras(scenes=2)
    whole = model(scenes(), c2w, fov, 32)
    assert whole.requires_grad
    monkeypatch.setattr("rfcli.model.chunked.CHUNK_CPU", 5)
    with torch.no_grad():
        parts = model(scenes(), c2w, fov, 32)
    assert (parts - whole).abs().max() <= 2e-6 * whole.abs().max()


@pytest.mark.parametrize("changes", VARIANTS)
def test_keys_that_are_kept_are_those_of_each_view(
    changes: dict[str, object], short_stretches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (c2w, fov) = small_model(**changes), cameras(scenes=2, views=3)
    asked = []
    project = type(model.view_transformer.transformer.layers[0]).keys_values
    monkeypatch.setattr(
        "rfcli.model.view_dependent.ViewLayer.keys_values", lambda *given: asked.append(1) or project(*given)
    )
    images = []
    for share in (0.0, 1.0):
        monkeypatch.setattr("rfcli.model.rendering.KEPT", share)
        images.append(render_timed(model, scenes(), c2w, fov, 32)[0])
    layers = model.config.view_transformer_n_layers
    again = 3 if model.config.pe_type == "nerf" else 1  # there they depend on the camera
    assert len(asked) == (3 + again) * layers
    assert torch.allclose(*images, rtol=1e-6, atol=1e-6 * float(images[0].abs().max()))


def test_no_work_sees_more_than_a_stretch(short_stretches: None) -> None:
    x = torch.arange(24.0).view(1, 12, 2)
    lengths: list[int] = []

    def work(part: slice) -> list[torch.Tensor]:
        lengths.append(x[:, part].shape[1])
        return [x[:, part] + 1, x[None, :, part, :1]]

    with torch.no_grad():
        added, first = chunked(work, x)
    assert lengths == [5, 5, 2]
    assert torch.equal(added, x + 1)
    assert torch.equal(first, x[None, :, :, :1])
    chunked(work, x)  # with gradients
    assert lengths == [5, 5, 2, 12]


def test_what_is_given_is_left_as_it_is(short_stretches: None) -> None:
    """Layers are functions: hooks may hold on to what goes in and comes out."""
    model, batch = small_model(), scenes()
    with torch.no_grad():
        tokens = model.tokens(batch)
        before = tokens.clone()
        model.transformer.layers[0](tokens, model.rotation(batch), model.context(batch))
    assert torch.equal(tokens, before)
