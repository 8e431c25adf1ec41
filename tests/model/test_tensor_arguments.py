"""Arguments of `rfcli.render` of every kind: other formats render the same image, wrong ones are named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import rfcli
from rfcli.errors import InputError
from tests.support.model_scenes import random_scene, small_model

SCENE = random_scene(views=2)
RESOLUTION = 16
PATCH = small_model().config.texture_encode_patch_size


def tensors() -> dict[str, Any]:
    names = ("triangles", "vn", "c2w", "fov", "material")
    return {name: torch.from_numpy(getattr(SCENE, name))[None] for name in names}


def texture() -> torch.Tensor:
    return tensors()["material"][..., None, None].expand(-1, -1, -1, PATCH, PATCH)


def mask() -> torch.Tensor:
    return torch.ones(1, len(SCENE), dtype=torch.bool)


@pytest.fixture(scope="module")
def model() -> rfcli.RenderFormer:
    return small_model()


@pytest.fixture(scope="module")
def expected(model: rfcli.RenderFormer) -> torch.Tensor:
    return rfcli.render(model, **tensors(), resolution=RESOLUTION)


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "float64": lambda x: x.double(),
    "gradients": lambda x: x.clone().requires_grad_(),
    "array": lambda x: x.numpy(),
    "array64": lambda x: x.double().numpy(),
    "reversed strides": lambda x: x.numpy()[..., ::-1].copy()[..., ::-1],
    "list": lambda x: x.tolist(),
}


@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
@pytest.mark.parametrize("name", ["triangles", "vn", "c2w", "fov", "material", "all"])
def test_other_formats_render_the_same(
    model: rfcli.RenderFormer, expected: torch.Tensor, name: str, convert: Callable[[Any], Any]
) -> None:
    given = {key: convert(value) if name in (key, "all") else value for key, value in tensors().items()}
    images = rfcli.render(model, **given, resolution=RESOLUTION)
    assert images.dtype == torch.float32
    assert torch.allclose(images, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"fov": tensors()["fov"][..., None]},
        {"fov": tensors()["fov"][0]},
        {"material": None, "texture": texture()},
        {"material": None, "texture": texture().double()},
        {"material": None, "texture": texture().numpy()},
        {"material": None, "texture": tensors()["material"].double()},
        *({"mask": convert(mask())} for convert in (lambda m: m, lambda m: m.byte(), lambda m: m.float())),
        {"mask": mask().numpy()},
        {"mask": mask().tolist()},
    ],
)
def test_other_shapes_render_the_same(
    model: rfcli.RenderFormer, expected: torch.Tensor, changes: dict[str, Any]
) -> None:
    images = rfcli.render(model, **{**tensors(), **changes}, resolution=RESOLUTION)
    assert torch.allclose(images, expected, rtol=1e-5, atol=1e-6)


def test_padding_may_be_marked_by_numbers(model: rfcli.RenderFormer) -> None:
    half = torch.arange(len(SCENE))[None] < 6
    images = [rfcli.render(model, **tensors(), mask=m, resolution=RESOLUTION) for m in (half, half.long())]
    assert torch.equal(*images)


WRONG: list[tuple[dict[str, Any], str]] = [
    *(
        ({name: value[0]}, rf"`{name}` has shape \[.*\], expected \[B, .*add it with {name}\[None\]\.")
        for name, value in tensors().items()
        if name != "fov"
    ),
    ({"mask": mask()[0]}, r"`mask` has shape \[12\], expected \[B, N\]"),
    ({"texture": texture()[0], "material": None}, r"`texture` has shape \[12, 13, .*texture\[None\]"),
    ({"vn": tensors()["vn"][:, :5]}, r"`vn` has shape \[1, 5, 3, 3\], expected \[B, N, 3, 3\] with B = 1, N = 12"),
    ({"c2w": torch.eye(4).expand(2, 2, 4, 4)}, r"`c2w` has shape \[2, 2, 4, 4\], .* with B = 1"),
    ({"c2w": torch.eye(4)}, r"`c2w` has shape \[4, 4\], expected \[B, V, 4, 4\]"),
    ({"c2w": torch.eye(3).expand(1, 2, 3, 3)}, r"`c2w` has shape \[1, 2, 3, 3\]"),
    ({"fov": 40.0}, r"`fov` has shape \[\], expected \[B, V\]"),
    ({"fov": torch.tensor(40.0)}, r"`fov` has shape \[\]"),
    ({"fov": torch.ones(1, 3)}, r"`fov` has shape \[1, 3\], expected \[B, V\] with B = 1, V = 2"),
    ({"triangles": torch.zeros(1, 0, 3, 3)}, r"`triangles` has shape \[1, 0, 3, 3\]: it is empty"),
    ({"triangles": torch.zeros(1, 12, 9)}, r"`triangles` has shape \[1, 12, 9\]"),
    ({"triangles": "bunny.obj"}, "`triangles` must be a tensor .*, got str; files are read by rfcli.load_scene"),
    ({"material": {"diffuse": 1}}, "`material` must be a tensor .*, got dict"),
    ({"vn": tensors()["vn"] * float("nan")}, "`vn` holds numbers that are not finite"),
    ({"vn": tensors()["vn"] + 0j}, "`vn` has complex numbers"),
    ({"resolution": 16.0}, r"`resolution` 16\.0 must be a whole number"),
    ({"resolution": "16"}, "`resolution` '16' must be a whole number"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_arguments_are_named_with_their_shape(
    model: rfcli.RenderFormer, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        rfcli.render(model, **{**tensors(), "resolution": RESOLUTION, **changes})


@pytest.mark.parametrize("scene", ["cornell.json", None, {}, 5, ["a.json"], [SCENE, None]])
def test_render_of_what_is_no_scene(model: rfcli.RenderFormer, scene: Any) -> None:
    with pytest.raises(InputError, match=r"`scene` must be a TriangleScene, as rfcli\.load_scene .*, got \w+\."):
        model.render(scene, resolution=RESOLUTION)


@pytest.mark.parametrize("views", [1, np.int64(1)])
def test_one_view_may_be_a_number(model: rfcli.RenderFormer, views: Any) -> None:
    found = model.render(SCENE, resolution=RESOLUTION, views=views)
    assert torch.equal(found, model.render(SCENE, resolution=RESOLUTION, views=[1]))


@pytest.mark.parametrize("views", ["0", [0.5], [[0]], 0.5])
def test_views_that_are_no_numbers(model: rfcli.RenderFormer, views: Any) -> None:
    with pytest.raises(InputError, match=r"`views` .* must be indices of cameras, whole numbers from 0"):
        model.render(SCENE, resolution=RESOLUTION, views=views)
