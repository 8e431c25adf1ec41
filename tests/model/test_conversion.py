"""Models made from trained ones: another attention mechanism, other config fields, more layers."""

import dataclasses
from pathlib import Path

import pytest
import torch

import rfcli
from rfcli.errors import InputError
from rfcli.model import RenderFormer, convert, reconfigured, save_checkpoint, with_attention
from rfcli.model.conversion import deepened, untrained_warning
from tests.support.model_scenes import SMALL, cameras, random_batch, small_model


@torch.no_grad()
def encoded(model: RenderFormer, triangles: int = 12, resolution: int = 32) -> torch.Tensor:
    """Encoded images of two random scenes."""
    return model(random_batch(2, triangles), *cameras(2), resolution)  # type: ignore[no-any-return]


def test_converted_model_keeps_trained_weights_after_saving_and_loading(tmp_path: Path) -> None:
    softmax = small_model()
    linear = convert(softmax, "performer", features=32)
    state = linear.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in softmax.state_dict().items())
    save_checkpoint(linear, tmp_path, "# Linear\n")
    loaded = rfcli.load_model(str(tmp_path), device="cpu")
    image = encoded(linear)
    assert torch.equal(encoded(loaded), image)
    assert not torch.allclose(encoded(softmax), image, atol=1e-4)
    converted_back = rfcli.load_model(str(tmp_path), attention="sdpa", device="cpu")
    assert torch.equal(encoded(converted_back), encoded(softmax))


def test_near_far_attention_needs_no_training(tmp_path: Path) -> None:
    """With fewer keys than triangles the images are close to softmax's; with enough keys they are equal."""
    softmax = small_model()
    pooled = convert(softmax, "nearfar", keys=30)
    assert pooled.state_dict().keys() == softmax.state_dict().keys()
    save_checkpoint(pooled, tmp_path, "# Pooled\n")
    exact, approximate = encoded(softmax, triangles=80), encoded(pooled, triangles=80)
    assert torch.equal(encoded(rfcli.load_model(str(tmp_path), device="cpu"), triangles=80), approximate)
    assert 0 < (approximate - exact).square().mean() < 1e-2 * exact.var()
    assert torch.allclose(encoded(convert(softmax, "nearfar", keys=40), triangles=80), exact, atol=1e-5)


@pytest.mark.parametrize("attention", ["performer", "hedgehog"])
def test_warning_only_for_a_mechanism_that_needs_training_and_had_none(attention: str) -> None:
    warning = untrained_warning("sdpa", attention)
    assert warning is not None
    assert f"with {attention} its images will be wrong until it is fine-tuned" in warning
    assert untrained_warning(attention, attention) is None
    assert untrained_warning(attention, "sdpa") is None
    assert untrained_warning(attention, "nearfar") is None


def test_unknown_mechanism_is_refused() -> None:
    with pytest.raises(InputError, match="Unknown attention 'softmux'"):
        with_attention(SMALL, "softmux")
    with pytest.raises(InputError, match="Unknown attention 'softmux'"):
        convert(small_model(), "softmux")


@pytest.mark.parametrize("attention", ["sdpa", "performer"])
def test_reconfigured_model_has_the_same_weights_and_other_fields(attention: str) -> None:
    model = small_model(attention=attention)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    changed = reconfigured(model, channels="apart", light="relative")
    assert changed.config == dataclasses.replace(model.config, channels="apart", light="relative")
    assert not changed.training
    state = changed.state_dict()
    assert state.keys() == before.keys()
    assert all(torch.equal(value, state[name]) for name, value in before.items())
    expected = small_model(attention=attention, channels="apart", light="relative")
    expected.load_state_dict(before)
    image = encoded(changed)
    assert torch.equal(image, encoded(expected))
    assert not torch.allclose(image, encoded(model), atol=1e-3)
    assert model.config == small_model(attention=attention).config
    with torch.no_grad():
        changed.tri_token.zero_()
    assert torch.equal(model.tri_token, before["tri_token"])  # no shared memory


def test_reconfigured_with_impossible_fields_is_refused() -> None:
    with pytest.raises(InputError, match="channels = 'three'"):
        reconfigured(small_model(), channels="three")
    with pytest.raises(InputError, match="light = 'relative' needs visibility = 'first-hit'"):
        reconfigured(small_model(visibility="attention"), light="relative")


@pytest.mark.parametrize("changes", [{}, {"bias": True, "activation": "gelu"}, {"attention": "performer"}])
@pytest.mark.parametrize("layers", [3, 4, 7])
def test_deepened_model_renders_the_same_images(changes: dict[str, object], layers: int) -> None:
    model = small_model(**changes)
    deep = deepened(model, layers)
    assert deep.config.num_layers == len(deep.transformer.layers) == layers
    image = encoded(model, 20, 16)
    torch.testing.assert_close(encoded(deep, 20, 16), image, rtol=1e-5, atol=1e-6)
    assert image.std() > 0


def test_all_weights_of_a_deepened_model_get_gradients() -> None:
    deep = deepened(small_model(), 4).train()

    def backward() -> None:
        deep.zero_grad()
        deep(random_batch(1, 20), *cameras(1), 16).square().mean().backward()

    backward()
    torch.optim.SGD(deep.parameters(), 1.0).step()  # at first only the zero weights of the new layers have gradients
    backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in deep.transformer.layers.parameters())


@pytest.mark.parametrize("layers", [-1, 0, 1, 2, 257])
def test_a_model_cannot_be_made_shallower_or_too_deep(layers: int) -> None:
    with pytest.raises(InputError, match=f"`layers` {layers} must be more than the model's 2, and at most 256"):
        deepened(small_model(), layers)
