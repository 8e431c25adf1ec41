"""rf: the whole life of a RenderFormer, from scenes to pictures.

`import rfcli` is free of heavy imports; each function below brings in what it needs when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from rfcli.model import RenderFormer
    from rfcli.scene import TriangleScene

__version__ = "0.1.0"
__all__ = ["load_model", "load_scene", "render", "save_scene"]


def load_scene(path: str | Path, allow_outside: bool = False) -> TriangleScene:
    """Read a scene: `.json` (the official schema) or `.h5` (official or compact).

    allow_outside: read meshes that a scene file names outside its own folder (`../`, absolute paths, symbolic links),
    too. Only for scenes that you trust.
    Raises InputError (a ValueError) where the file is missing, broken or empty.
    """
    from rfcli.scene import load

    return load(path, allow_outside)


def save_scene(scene: TriangleScene, path: str | Path, official: bool = False) -> None:
    """Write a scene to `.h5`; `official=True` writes the 13 x 32 x 32 textures that the official code reads."""
    from rfcli.scene import save

    save(scene, path, official=official)


def load_model(name: str, attention: str | None = None, device: str = "auto") -> RenderFormer:
    """Load a model in eval mode: "tiny" (bundled), a checkpoint directory, or a Hugging Face id.

    name may also be a `.safetensors` file beside its config.json, and an id may name a revision: owner/name@revision.
    attention: run the view-independent stage with another mechanism than the checkpoint's own. Warns (UserWarning) of
    one that needs training to be right.
    device: auto | cpu | cuda | mps.
    Raises InputError where the checkpoint is missing or does not fit its config.
    """
    import warnings

    from rfcli.model import load
    from rfcli.model.conversion import swapped

    model, warning = swapped(load(name, device), attention)
    if warning:
        warnings.warn(warning, stacklevel=2)
    return model


def render(
    model: RenderFormer,
    triangles: torch.Tensor,
    vn: torch.Tensor,
    c2w: torch.Tensor,
    fov: torch.Tensor,
    texture: torch.Tensor | None = None,
    material: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    resolution: int = 256,
    precision: str = "fp32",
) -> torch.Tensor:
    """Linear HDR images [B, V, H, W, 3] of B scenes of N triangles seen by V cameras; inputs are never changed.

    Models with include_alpha give a fourth channel, models with use_ldr the LDR image that they learned.

    triangles [B, N, 3, 3], vn [B, N, 3, 3], c2w [B, V, 4, 4], fov [B, V] or [B, V, 1] in degrees;
    either material [B, N, 13] or texture [B, N, 13, P, P], P being the model's, or any where it reads one pixel only;
    mask [B, N], True for real triangles.
    precision: fp32 | bf16 | auto, of the view-independent stage only; the view-dependent stage stays fp32. auto times
    a product and takes bf16 where it is faster.
    """
    from rfcli.model import render as run

    return run(model, triangles, vn, c2w, fov, texture, material, mask, resolution, precision)
