"""Rendering with a model: from scenes or tensors to linear HDR images."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import torch
from torch import Tensor

from rfcli.errors import InputError
from rfcli.model.batch import SceneBatch, camera_tensors
from rfcli.model.device import fastest_precision, free_bytes, synchronized_time
from rfcli.model.first_hit import FirstHitStage
from rfcli.model.renderformer import RenderFormer
from rfcli.model.tensor_arguments import checked_tensors
from rfcli.model.view_dependent import SceneEncoding
from rfcli.scene import TriangleScene

MAX_KEPT_SHARE = 0.25  # largest part of the free memory for keys and values kept for several views
LAYER_TENSORS = 4  # tensors of a layer as large as its input: queries, keys, values, attention output
SUBPIXEL_SAMPLES = 2  # antialiasing with first-hit visibility: rays along a side of a pixel
REQUIRED = ("triangles", "vn", "c2w", "fov")  # tensors of a render
PRECISIONS = ("fp32", "bf16", "auto")
COMPILERS = ("c++", "g++", "clang++", "cl")


@dataclass(frozen=True)
class Seconds:
    """Wall time of one render.

    Attributes:
        view_independent: Seconds of the view-independent stage, which runs once per scene.
        view_dependent: Seconds of each view.
    """

    view_independent: float
    view_dependent: tuple[float, ...]


def render(
    model: RenderFormer,
    triangles: Tensor,
    vn: Tensor,
    c2w: Tensor,
    fov: Tensor,
    texture: Tensor | None = None,
    material: Tensor | None = None,
    mask: Tensor | None = None,
    resolution: int = 256,
    precision: str = "fp32",
) -> Tensor:
    """Renders batched tensors, arrays or lists of numbers; see `rfcli.render`, whose arguments are the same.

    Args:
        model: The network.
        triangles: [B, N, 3, 3] vertex positions.
        vn: [B, N, 3, 3] vertex normals.
        c2w: [B, V, 4, 4] camera to world.
        fov: [B, V] degrees.
        texture: [B, N, 13, P, P] materials that vary over each triangle; None: `material` is given.
        material: [B, N, 13] constant materials; None: `texture` is given.
        mask: [B, N], True for real triangles; None: all.
        resolution: Pixels along a side.
        precision: Number format of the view-independent stage: fp32, bf16 or auto.

    Returns:
        [B, V, H, W, 3] linear HDR images (4 channels with alpha) on the model's device.

    Raises:
        InputError: See `checked_tensors` and `render_views`.
    """
    given = checked_tensors(triangles=triangles, vn=vn, c2w=c2w, fov=fov, texture=texture, material=material, mask=mask)
    triangles, vn, c2w, fov = (tensor for name in REQUIRED if (tensor := given[name]) is not None)
    material, texture, mask = given["material"], given["texture"], given["mask"]
    if mask is None:
        mask = torch.ones(triangles.shape[:2], dtype=torch.bool, device=triangles.device)
    if texture is not None and texture.dim() == 3:  # one value per channel is a constant material
        material, texture = texture, None
    batch = SceneBatch(triangles, vn, mask, material=material, texture=texture)
    return render_timed(model, batch, c2w, fov, resolution, precision)[0]


def render_scene(
    model: RenderFormer,
    scene: TriangleScene,
    resolution: int = 256,
    views: Sequence[int] | None = None,
    precision: str = "fp32",
    cameras: tuple[Any, Any] | None = None,
) -> Tensor:
    """[V, H, W, 3] images of one scene on the CPU; see `RenderFormer.render`."""
    if not isinstance(scene, TriangleScene):
        raise InputError(
            "`scene` must be a TriangleScene, as rfcli.load_scene reads it from a file, or a list of them, got "
            f"{type(scene).__name__}."
        )
    c2w, fov = camera_tensors(scene) if cameras is None else _other_cameras(cameras)
    count = c2w.shape[1]
    if count == 0:
        raise InputError("The scene has no cameras; give `cameras`.")
    if views is not None:
        indices = _whole_numbers(views)
        if not indices or not all(-count <= index < count for index in indices):
            raise InputError(f"`views` {indices} must be indices of cameras from 0 to {count - 1}.")
        c2w, fov = c2w[:, indices], fov[:, indices]
    return render_timed(model, model.batch_of(scene), c2w, fov, resolution, precision)[0][0].cpu()


def _whole_numbers(views: Any) -> list[int]:
    """One index or several; InputError for anything else."""
    try:
        return [index(view) for view in (views if isinstance(views, Iterable) else [views])]
    except TypeError:
        raise InputError(f"`views` {views!r} must be indices of cameras, whole numbers from 0.") from None


def _other_cameras(cameras: tuple[Any, Any]) -> tuple[Tensor, Tensor]:
    """c2w [1, V, 4, 4] and fov [1, V] from a pair of c2w [V, 4, 4] and fov [V]."""
    if len(cameras) != 2:
        raise InputError(f"`cameras` must be a pair of c2w [V, 4, 4] and fov [V], got {len(cameras)} values.")
    c2w, fov = (torch.as_tensor(values, dtype=torch.float32)[None] for values in cameras)
    if tuple(c2w.shape[2:]) != (4, 4) or c2w.shape[:2] != fov.shape:
        raise InputError(
            "`cameras` must be a pair of c2w [V, 4, 4] and fov [V], got shapes "
            f"{list(c2w.shape[1:])} and {list(fov.shape[1:])}."
        )
    return c2w, fov


def render_timed(
    model: RenderFormer, batch: SceneBatch, c2w: Tensor, fov: Tensor, resolution: int, precision: str = "fp32"
) -> tuple[Tensor, Seconds]:
    """Images [B, V, H, W, 3 or 4] on the model's device, and the seconds of each stage; see `render_views`."""
    images, stage_seconds, view_seconds = zip(*render_views(model, batch, c2w, fov, resolution, precision), strict=True)
    return torch.cat(images, 1), Seconds(stage_seconds[0], view_seconds)


@torch.no_grad()
def render_views(
    model: RenderFormer, batch: SceneBatch, c2w: Tensor, fov: Tensor, resolution: int, precision: str = "fp32"
) -> Iterator[tuple[Tensor, float, float]]:
    """Renders one view after another, so that memory does not grow with their number.

    Everything that does not depend on the camera is computed once, before the first view: the view-independent stage
    and, if there are several views and enough memory, the keys and values of the view-dependent layers.

    Args:
        model: The network.
        batch: B scenes on any device.
        c2w: [B, V, 4, 4] camera to world.
        fov: [B, V] degrees.
        resolution: Pixels along a side.
        precision: Number format of the view-independent stage: fp32, bf16 or auto.

    Yields:
        For each view images [B, 1, H, W, 3 or 4] on the model's device, the seconds of the view-independent stage, and
        the seconds of this view.

    Raises:
        InputError: The precision is unknown, the shapes of the cameras disagree, the resolution is not a multiple of
            the patch size, or memory does not suffice.
    """
    scenes, views = c2w.shape[:2]
    if tuple(c2w.shape) != (scenes, views, 4, 4) or fov.numel() != scenes * views or views == 0:
        raise InputError(f"`c2w` {list(c2w.shape)} and `fov` {list(fov.shape)} do not describe the same cameras.")
    model.check_resolution(resolution)
    scene, stage_seconds = encode_scene(model, batch, precision, several_views=views > 1)
    for view in range(views):
        one = slice(view, view + 1)
        image, view_seconds = render_encoded(model, scene, c2w[:, one], fov.view(scenes, views)[:, one], resolution)
        yield image, stage_seconds, view_seconds


@torch.no_grad()
def encode_scene(
    model: RenderFormer, batch: SceneBatch, precision: str = "fp32", several_views: bool = True
) -> tuple[SceneEncoding, float]:
    """The view-independent stage of B scenes, and its seconds.

    Args:
        model: The network.
        batch: B scenes on any device.
        precision: Number format of the stage: fp32, bf16 or auto.
        several_views: Keep the keys and values of the view-dependent layers if memory suffices: a view then takes less
            time.

    Returns:
        The input of `render_encoded`, and seconds.

    Raises:
        InputError: The precision is unknown, or memory does not suffice.
    """
    device = next(model.parameters()).device
    bf16 = chosen_precision(precision, device) == "bf16"
    check_memory(needed_bytes(model, batch.mask.numel(), bf16), batch.mask.numel(), free_bytes(device))
    batch = batch.to(device)
    start = synchronized_time(device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        tokens = model.view_independent(batch)
    tokens = tokens.float()
    keep = several_views and model.view_transformer.key_bytes(tokens) < MAX_KEPT_SHARE * free_bytes(device)
    return model.encode(batch, tokens, keep), synchronized_time(device) - start


@torch.no_grad()
def render_encoded(
    model: RenderFormer,
    scene: SceneEncoding,
    c2w: Tensor,
    fov: Tensor,
    resolution: int,
    samples: int = SUBPIXEL_SAMPLES,
) -> tuple[Tensor, float]:
    """Linear images [B, V, H, W, 3 or 4] of encoded scenes on the model's device, and the seconds they took.

    Args:
        model: The network.
        scene: B scenes from `encode_scene`.
        c2w: [B, V, 4, 4] camera to world, on any device.
        fov: [B, V] degrees.
        resolution: Pixels along a side.
        samples: Rays along a side of a pixel, with first-hit visibility.

    Raises:
        InputError: The resolution is not a multiple of the patch size.
    """
    device = next(model.parameters()).device
    start = synchronized_time(device)
    encoded = model.view_dependent(scene, c2w.to(device).float(), fov.to(device).float(), resolution, samples=samples)
    return model.decode(encoded), synchronized_time(device) - start


def needed_bytes(model: RenderFormer, triangles: int, bf16: bool = False) -> int:
    """A lower bound on the memory of the view-independent stage: the tensors of one layer.

    The stage needs more than that in total, so a scene that would fit is never refused.
    """
    tokens = triangles * model.symmetries.copies
    return (4 + LAYER_TENSORS * (2 if bf16 else 4)) * model.config.latent_dim * tokens


def check_memory(needed: int, triangles: int, free: int) -> None:
    """Raises InputError if more bytes are needed than are free: the system might end the process without a message."""
    if needed > free:
        raise InputError(
            f"{triangles:,} triangles need more than {needed / 1e9:,.1f} GB of memory with this model, and "
            f"{free / 1e9:,.1f} GB are free; lower `max_triangles` of a mesh, decimate the scene, or use another model."
        )


def chosen_precision(precision: str, device: torch.device) -> str:
    """Resolves auto to fp32 or bf16, whichever is measured to be faster; InputError for an unknown precision."""
    if precision not in PRECISIONS:
        raise InputError(f"`precision` {precision!r} is not known; use {', '.join(PRECISIONS)}.")
    if precision != "auto":
        return precision
    return "bf16" if fastest_precision(device) == torch.bfloat16 else "fp32"


def compile_views(model: RenderFormer) -> None:
    """Compiles the view-dependent stage with torch.compile, in place, at its next call.

    For a model of the bundled model's size with channels together, a view of 256 x 256 pixels took 0.41 s on one core
    instead of 0.73 s, after 23 s of compilation: worthwhile for videos, not for single images. The view-independent
    stage runs once per scene and is not compiled.

    Args:
        model: The network.

    Raises:
        InputError: The model is on a CPU and no C++ compiler is found, which torch needs there.
    """
    stage = model.view_transformer
    on_cpu = next(stage.parameters()).device.type == "cpu"
    if on_cpu and not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        raise InputError("`compiled` needs a C++ compiler (g++ or clang++); install one, or render without it.")
    stage.compile()
    if isinstance(stage, FirstHitStage):
        stage.pixel_decoder.compile()
