"""Degenerate and extreme scenes: images are finite, and saved pictures have no negative radiance."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from rfcli.model import RenderFormer, SceneBatch, convert
from rfcli.model.rendering import render_timed
from rfcli.pictures.renderers import NetworkRenderer
from tests.support.model_scenes import cameras, random_batch, random_scene, small_model

MAX_COORDINATE = 1e6  # of scene files


def changed(**parts: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[SceneBatch], SceneBatch]:
    """A function that changes some tensors of a batch."""
    return lambda batch: dataclasses.replace(
        batch, **{name: change(getattr(batch, name)) for name, change in parts.items()}
    )


def emission(value: float, count: int | None = None) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function that sets the emitted radiance of the first `count` triangles; None for all."""

    def set_emission(material: torch.Tensor) -> torch.Tensor:
        material = material.clone()
        material[:, :count, 10:] = value
        return material

    return set_emission


def collinear(triangles: torch.Tensor) -> torch.Tensor:
    """Every triangle with its vertices on a line."""
    return triangles[:, :, :1] + torch.tensor([0.0, 0.1, 0.3])[:, None] * torch.ones(3)


def half_collinear(triangles: torch.Tensor) -> torch.Tensor:
    return torch.cat([collinear(triangles[:, ::2]), triangles[:, 1::2]], 1)


CHANGES: dict[str, Callable[[SceneBatch], SceneBatch]] = {
    "every other triangle without area": changed(triangles=half_collinear),
    "all triangles without area": changed(triangles=collinear),
    "all vertices of a triangle equal": changed(triangles=lambda t: t[:, :, :1].expand_as(t).contiguous()),
    "the whole scene in one point": changed(triangles=torch.zeros_like),
    "the whole scene in one point, black": changed(triangles=torch.zeros_like, material=torch.zeros_like),
    "all triangles equal": changed(triangles=lambda t: t[:, :1].expand_as(t).contiguous()),
    "normals of length 0": changed(vn=torch.zeros_like),
    "radiance of a million": changed(material=emission(1e6, 1)),
    "radiance of a million everywhere": changed(material=emission(1e6)),
    "radiance of zero": changed(material=emission(0.0, 1)),
    "radiance of almost zero": changed(material=emission(1e-38, 1)),
    "black": changed(material=torch.zeros_like),
    "white": changed(material=torch.ones_like),
    "far away": changed(triangles=lambda t: t + MAX_COORDINATE),
    "very large": changed(triangles=lambda t: t * MAX_COORDINATE),
    "very small": changed(triangles=lambda t: t * 1e-20),
    "at the camera": changed(triangles=lambda t: t * 1e-3 + cameras()[0][0, 0, :3, 3]),
    "in the camera's plane": changed(triangles=lambda t: t * torch.tensor([1.0, 1.0, 0.0]) + cameras()[0][0, 0, :3, 3]),
}
MODELS = {
    "tiny": {},
    "attention": {"visibility": "attention", "key_weight": "count", "token_position_freqs": None},
    "normalised": {"visibility": "attention", "key_weight": "normalised"},
    "camera space": {"turn_to_cam_coord": True},
    "nerf": {"pe_type": "nerf", "visibility": "attention", "token_position_freqs": None},
}


def render(model: RenderFormer, batch: SceneBatch, precision: str = "fp32") -> torch.Tensor:
    return render_timed(model, batch, *cameras(), 16, precision)[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("change", CHANGES)
def test_images_are_finite(change: str, model: str) -> None:
    assert render(small_model(**MODELS[model]), CHANGES[change](random_batch(triangles=12))).isfinite().all()


@pytest.mark.parametrize("attention", ["performer", "hedgehog", "nearfar"])
@pytest.mark.parametrize("change", CHANGES)
def test_images_are_finite_with_every_mechanism(change: str, attention: str) -> None:
    model = convert(small_model(), attention, **({"keys": 12} if attention == "nearfar" else {}))
    batch = CHANGES[change](random_batch(triangles=64))  # more than twice the keys, so that near-far attention pools
    assert render(model, batch).isfinite().all()


@pytest.mark.parametrize(
    "change", ["radiance of a million everywhere", "very large", "the whole scene in one point", "black"]
)
def test_images_are_finite_in_bf16(change: str) -> None:
    assert render(small_model(), CHANGES[change](random_batch()), "bf16").isfinite().all()


@pytest.mark.parametrize("triangles", [1, 2, 3, 5000, pytest.param(1 << 20, marks=pytest.mark.long)])
@pytest.mark.parametrize("attention", ["sdpa", "nearfar", "performer"])
def test_images_of_one_and_of_many_triangles_are_finite(triangles: int, attention: str) -> None:
    if triangles > 1e5 and attention == "sdpa":
        pytest.skip("softmax attention of a million triangles takes hours")
    options = {"keys": 64} if attention == "nearfar" else {}
    model = convert(small_model(num_layers=1), attention, **options)
    assert render(model, random_batch(triangles=triangles)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("log_radiance", [4.0, 4.9, 38.0, 39.0, 1e4])
def test_decoded_radiance_does_not_overflow(dtype: torch.dtype, log_radiance: float) -> None:
    """The largest float16 is 65,504 = 10^4.82, less than the radiance of a bright light."""
    encoded = torch.tensor([log_radiance, -0.001, 0.0]).to(dtype)
    radiance = small_model().decode(encoded)
    assert radiance.dtype == torch.float32
    assert radiance.isfinite().all()
    expected = 10.0 ** min(float(encoded[0]), 38.0) - 1
    assert float(radiance[0]) == pytest.approx(expected, rel=1e-5)


def test_pictures_have_no_negative_radiance() -> None:
    """With weights whose output is the lowest possible, which is slightly negative."""
    model = small_model(visibility="attention")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "output_conv2.2" in name:
                parameter.fill_(0 if name.endswith("weight") else -50)
    assert render(model, random_batch()).min() < 0
    for view in NetworkRenderer("small", model).render(random_scene(), 16):
        assert np.isfinite(view.image).all()
        assert view.image.min() == 0
