"""From arrays to linear HDR images: the call that notebooks and the command line share.

The view-dependent stage through torch.compile, for many views of the same size.

With a model as large as the bundled one, channels together, on one core at 256 x 256 a view then took 0.41 s instead
of 0.73 s, after 23 s of compiling: it pays for videos, not for pictures. The view-independent stage, which runs once a
scene, is left as it is.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from rfcli.errors import InputError
from rfcli.model.batch import SceneBatch
from rfcli.model.device import fastest_precision, free_bytes
from rfcli.model.renderformer import RenderFormer
from rfcli.model.transport import channels_computed

KEPT = 0.25  # of the memory at hand may go into what spares the second view and those after it some work
ATTENDED = 4  # tensors of all triangles that a layer holds beside its input: queries, keys, values, what they attend to
SAMPLES = 2  # along a pixel's side, of first-hit models, whose edges would be jagged without
PRECISIONS = ("fp32", "bf16", "auto")


@dataclass(frozen=True)
class Seconds:
    """Wall time of one render: what is computed once for the scene, and each view's own."""

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
    """Linear HDR images [B, V, H, W, 3], or 4 channels from models with alpha; see `rfcli.render`."""
    if mask is None:
        mask = torch.ones(triangles.shape[:2], dtype=torch.bool, device=triangles.device)
    if texture is not None and texture.dim() == 3:  # one value a channel, which is what a material is
        material, texture = texture, None
    batch = SceneBatch(triangles, vn, mask, material=material, texture=texture)
    return render_timed(model, batch, c2w, fov, resolution, precision)[0]


def render_timed(
    model: RenderFormer, batch: SceneBatch, c2w: Tensor, fov: Tensor, resolution: int, precision: str = "fp32"
) -> tuple[Tensor, Seconds]:
    """Images [B, V, H, W, 3 or 4] on the model's device, and the seconds that each stage took; see `render_views`."""
    images, stages, seconds = zip(*render_views(model, batch, c2w, fov, resolution, precision), strict=True)
    return torch.cat(images, 1), Seconds(stages[0], seconds)


@torch.no_grad()
def render_views(
    model: RenderFormer, batch: SceneBatch, c2w: Tensor, fov: Tensor, resolution: int, precision: str = "fp32"
) -> Iterator[tuple[Tensor, float, float]]:
    """For one view after another its images [B, 1, H, W, 3 or 4] on the model's device, and the seconds of both stages.

    What no camera changes is computed once, before the first view: the view-independent stage and, where there are
    several views and memory for it, the keys and values that their layers read. Views follow one another, so that
    memory does not grow with their number.
    Raises InputError for an unknown precision, cameras whose shapes disagree, or as `check_memory`.
    """
    bf16 = chosen_precision(precision, next(model.parameters()).device) == "bf16"
    scenes, views = c2w.shape[:2]
    if tuple(c2w.shape) != (scenes, views, 4, 4) or fov.numel() != scenes * views or views == 0:
        raise InputError(f"c2w {list(c2w.shape)} and fov {list(fov.shape)} do not describe the same cameras.")
    device = next(model.parameters()).device
    check_memory(needed_bytes(model, batch.mask.numel(), bf16), batch.mask.numel(), free_bytes(device))
    batch, c2w, fov = _to(batch, device), c2w.to(device).float(), fov.to(device).float().view(scenes, views)

    start = _now(device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        tokens = model.view_independent(batch)
    tokens = tokens.float()
    keep = views > 1 and model.view_transformer.key_bytes(tokens) < KEPT * free_bytes(device)
    scene, stage = model.lit(batch, tokens, keep), _now(device) - start
    for view in range(views):
        start = _now(device)
        one = slice(view, view + 1)
        image = model.decode(model.view_dependent(scene, c2w[:, one], fov[:, one], resolution, samples=SAMPLES))
        yield image, stage, _now(device) - start


def needed_bytes(model: RenderFormer, triangles: int, bf16: bool = False) -> int:
    """Memory without which the view-independent stage cannot be: what a layer holds of so many triangles.

    It is less than the stage takes in all, so that what would fit is never refused.
    """
    tokens = triangles * channels_computed(model.config)
    return (4 + ATTENDED * (2 if bf16 else 4)) * model.config.latent_dim * tokens


def check_memory(needed: int, triangles: int, free: int) -> None:
    """Raises InputError where more bytes are needed than are free: beyond them, the system may end the process without
    a word."""
    if needed > free:
        raise InputError(
            f"{triangles:,} triangles need more than {needed / 1e9:,.1f} GB of memory by this model, and "
            f"{free / 1e9:,.1f} GB are free; lower --max-triangles of a mesh, decimate the scene, or use another model."
        )


def chosen_precision(precision: str, device: torch.device) -> str:
    """fp32 or bf16, of the view-independent stage: what was asked for, or for auto what is measured to be faster.

    Raises InputError for another name.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r} is not known; use {', '.join(PRECISIONS)}.")
    if precision != "auto":
        return precision
    return "bf16" if fastest_precision(device) == torch.bfloat16 else "fp32"


def _to(batch: SceneBatch, device: torch.device) -> SceneBatch:
    def move(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(device)

    mask = batch.mask.to(device)
    triangles, vn = batch.triangles.to(device).float(), batch.vn.to(device).float()
    return SceneBatch(triangles, vn, mask, move(batch.material), move(batch.texture), batch.monochrome)


def _now(device: torch.device) -> float:
    """Seconds on a clock, once the device has finished what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


COMPILERS = ("c++", "g++", "clang++", "cl")


def compile_views(model: RenderFormer) -> None:
    """Let the modules that run once a view be compiled, in place, when they are next called.

    Raises InputError where the model is on a CPU and there is no C++ compiler, which torch needs for it.
    """
    stage = model.view_transformer
    on_cpu = next(stage.parameters()).device.type == "cpu"
    if on_cpu and not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        raise InputError("--compile needs a C++ compiler (g++ or clang++); install one, or leave --compile out.")
    stage.compile()
    if stage.first_hit:
        stage.pixel_decoder.compile()
