"""Scenes at the edge of what numbers can say: the image is finite, and light is not negative."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from rfcli.model import RenderFormer, SceneBatch, convert
from rfcli.model.rendering import render_timed
from rfcli.pictures.renderers import NetworkRenderer
from rfcli.scene import TriangleScene
from tests.support.model_scenes import cameras, random_batch, small_model

FAR = 1e6  # the farthest coordinate that a scene file may hold


def changed(**parts: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[SceneBatch], SceneBatch]:
    """The batch with some of its arrays changed."""
    return lambda batch: dataclasses.replace(
        batch, **{name: change(getattr(batch, name)) for name, change in parts.items()}
    )


def emission(value: float, first: int | None = None) -> Callable[[torch.Tensor], torch.Tensor]:
    """Radiance of the first triangles, None for all."""

    def put(material: torch.Tensor) -> torch.Tensor:
        material = material.clone()
        material[:, :first, 10:] = value
        return material

    return put


def flat(triangles: torch.Tensor) -> torch.Tensor:
    """Every triangle drawn out to a line."""
    return triangles[:, :, :1] + torch.tensor([0.0, 0.1, 0.3])[:, None] * torch.ones(3)


def half_flat(triangles: torch.Tensor) -> torch.Tensor:
    return torch.cat([flat(triangles[:, ::2]), triangles[:, 1::2]], 1)


CHANGES: dict[str, Callable[[SceneBatch], SceneBatch]] = {
    "every other triangle without area": changed(triangles=half_flat),
    "all triangles without area": changed(triangles=flat),
    "corners of a triangle in one point": changed(triangles=lambda t: t[:, :, :1].expand_as(t).contiguous()),
    "the whole scene in one point": changed(triangles=torch.zeros_like),
    "the whole scene in one point, black": changed(triangles=torch.zeros_like, material=torch.zeros_like),
    "triangles many times": changed(triangles=lambda t: t[:, :1].expand_as(t).contiguous()),
    "normals of length 0": changed(vn=torch.zeros_like),
    "radiance a million": changed(material=emission(1e6, 1)),
    "radiance a million everywhere": changed(material=emission(1e6)),
    "a light of zero": changed(material=emission(0.0, 1)),
    "a light of almost zero": changed(material=emission(1e-38, 1)),
    "black": changed(material=torch.zeros_like),
    "white": changed(material=torch.ones_like),
    "far away": changed(triangles=lambda t: t + FAR),
    "very large": changed(triangles=lambda t: t * FAR),
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


def image(model: RenderFormer, batch: SceneBatch, precision: str = "fp32") -> torch.Tensor:
    return render_timed(model, batch, *cameras(), 16, precision)[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", CHANGES)
def test_images_are_finite(how: str, model: str) -> None:
    drawn = image(small_model(**MODELS[model]), CHANGES[how](random_batch(triangles=12)))
    assert drawn.isfinite().all()


@pytest.mark.parametrize("attention", ["performer", "hedgehog", "nearfar"])
@pytest.mark.parametrize("how", CHANGES)
def test_images_are_finite_with_every_attention(how: str, attention: str) -> None:
    model = convert(small_model(), attention, **({"keys": 12} if attention == "nearfar" else {}))
    batch = CHANGES[how](random_batch(triangles=64))  # more than twice the keys: near-far attention pools
    assert image(model, batch).isfinite().all()


@pytest.mark.parametrize(
    "how", ["radiance a million everywhere", "very large", "the whole scene in one point", "black"]
)
def test_images_are_finite_in_bf16(how: str) -> None:
    assert image(small_model(), CHANGES[how](random_batch()), "bf16").isfinite().all()


@pytest.mark.parametrize("triangles", [1, 2, 3, 5000, pytest.param(1 << 20, marks=pytest.mark.long)])
@pytest.mark.parametrize("attention", ["sdpa", "nearfar", "performer"])
def test_one_triangle_and_many(triangles: int, attention: str) -> None:
    if triangles > 1e5 and attention == "sdpa":
        pytest.skip("a million triangles ask softmax for hours")
    options = {"keys": 64} if attention == "nearfar" else {}
    model = convert(small_model(num_layers=1), attention, **options)
    assert image(model, random_batch(triangles=triangles)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("said", [4.0, 4.9, 38.0, 39.0, 1e4])
def test_powers_of_ten_do_not_overflow(dtype: torch.dtype, said: float) -> None:
    """float16 ends at 65504 = 10^4.82, where an image of a bright light would turn infinite."""
    encoded = torch.tensor([said, -0.001, 0.0]).to(dtype)
    radiance = small_model().decode(encoded)
    assert radiance.dtype == torch.float32
    assert radiance.isfinite().all()
    expected = 10.0 ** min(float(encoded[0]), 38.0) - 1
    assert float(radiance[0]) == pytest.approx(expected, rel=1e-5)


def test_pictures_hold_no_negative_light() -> None:
    """With weights that say the least a network can, which is below zero."""
    model = small_model(visibility="attention")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "output_conv2.2" in name:
                parameter.fill_(0 if name.endswith("weight") else -50)
    batch, (c2w, fov) = random_batch(), cameras()
    arrays = [array[0].numpy() for array in (batch.triangles, batch.vn, batch.material, c2w, fov)]  # type: ignore[index]
    assert image(model, batch).min() < 0
    for drawn in NetworkRenderer("small", model).draw(TriangleScene(*arrays), 16):
        assert np.isfinite(drawn.image).all()
        assert drawn.image.min() == 0
