"""rf: data, training, linear attention, rendering and benchmarks for RenderFormer.

`import rfcli` imports nothing heavy; torch is loaded when a function or class needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfcli.errors import InputError, InputWarning

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from rfcli.model import RenderFormer
    from rfcli.scene import TriangleScene
    from rfcli.viewer import Viewer

__version__ = "0.1.0"
__all__ = ["InputError", "RenderFormer", "TriangleScene", "load_model", "load_scene", "render", "save_scene", "view"]


def __getattr__(name: str) -> Any:
    """Imports the classes of the public interface on first use."""
    if name == "RenderFormer":
        from rfcli.model import RenderFormer

        return RenderFormer
    if name == "TriangleScene":
        from rfcli.scene import TriangleScene

        return TriangleScene
    raise AttributeError(f"module 'rfcli' has no attribute '{name}'")


def load_scene(path: str | Path, allow_outside: bool = False) -> TriangleScene:
    """Reads a scene.

    Args:
        path: A scene file, .json (the official schema) or .h5 (official or compact); a scene of another program, .glb
            or .gltf with cameras or lights; or a mesh (.obj, .ply, .glb, .stl, .off), placed on a lit backdrop.
        allow_outside: Also read meshes that a scene file names outside its own folder (`../`, absolute paths, symbolic
            links). Only for scenes that you trust.

    Returns:
        The scene, as numpy arrays: triangles [N, 3, 3], vn [N, 3, 3], material [N, 13], c2w [V, 4, 4] and fov [V] in
        degrees.

    Raises:
        InputError: The file is missing, broken or empty.
    """
    from rfcli.scene import load

    return load(path, allow_outside)


def save_scene(scene: TriangleScene, path: str | Path, official: bool = False) -> None:
    """Writes a scene to a file.

    What the format cannot hold is said in a UserWarning each.

    Args:
        scene: The scene.
        path: A file with the suffix .h5; or .json, for the official schema with OBJ parts in a folder beside it.
        official: In .h5, write the 13 x 32 x 32 textures that the official code reads, in place of compact materials.

    Raises:
        InputError: The path has another suffix, or cannot be written.
    """
    import warnings

    from rfcli.scene import save

    for note in save(scene, path, official=official):
        warnings.warn(note, InputWarning, stacklevel=2)


def load_model(name: str | Path, attention: str | None = None, device: str = "auto") -> RenderFormer:
    """Loads a model.

    Args:
        name: A bundled model ("tiny", "tiny-performer"), a checkpoint folder, a .safetensors file with its config.json
            in the same folder, or a Hugging Face id, "owner/name" or "owner/name@revision".
        attention: Another attention mechanism for the view-independent stage than the checkpoint's. A mechanism that
            needs training first gives a UserWarning.
        device: "cpu", "cuda", "mps", or "auto" for the fastest one available.

    Returns:
        The model, in eval mode.

    Raises:
        InputError: There is no such model, mechanism or device, or the checkpoint does not fit its config.
    """
    import warnings

    from rfcli.model import load
    from rfcli.model.conversion import swapped

    model, warning = swapped(load(name, device), attention)
    if warning:
        warnings.warn(warning, InputWarning, stacklevel=2)
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
    """Renders B scenes of N triangles through V cameras each, from tensors; `model.render` takes scenes instead.

    Args:
        model: The network.
        triangles: [B, N, 3, 3] vertex positions, world space.
        vn: [B, N, 3, 3] unit vertex normals.
        c2w: [B, V, 4, 4] camera to world; cameras look down their -Z, +Y is up.
        fov: [B, V] or [B, V, 1] field of view of the square image, degrees.
        texture: [B, N, 13, P, P] materials, P being the model's texture size (any if the model reads one texel); or
        material: [B, N, 13] constant materials: diffuse, specular, roughness, normal, emission.
        mask: [B, N] bool, True for real triangles; None: all are real.
        resolution: H = W in pixels, a multiple of the model's patch size.
        precision: "fp32", "bf16" or "auto" (bf16 if it is measured to be faster), of the view-independent stage. The
            view-dependent stage stays in fp32.

    Returns:
        [B, V, H, W, 3] linear HDR images. Models with `include_alpha` add a fourth channel; models with `use_ldr`
        return the LDR image that they were trained on. The inputs are unchanged.

    Raises:
        InputError: Shapes disagree, or an argument is not possible for this model.
    """
    from rfcli.model import render as run

    return run(model, triangles, vn, c2w, fov, texture, material, mask, resolution, precision)


def view(
    scene: TriangleScene | str | Path,
    model: RenderFormer | str = "tiny",
    resolution: int | None = None,
    out: str | Path = ".",
    port: int = 8080,
) -> Viewer:
    """Shows a scene on a page of this machine, in which one walks through it and changes its light and materials.

    Needs viser: `pip install 'rfcli[view]'`. In a notebook the page appears below the cell if the call is its last
    line; elsewhere open the viewer's `url`, and call its `wait()` at the end of a script.

    Args:
        scene: A scene from `load_scene`, or the path of one: then its objects have names.
        model: A model from `load_model`, or its name.
        resolution: Longer side of the picture in pixels once the camera rests. None: the model's training resolution,
            else 256.
        out: Folder for pictures and videos that are saved in the page.
        port: Of the page; the next free one if it is taken.

    Returns:
        The viewer, which runs in threads of its own until its `close()`.

    Raises:
        InputError: viser is missing, there is no such scene or model, or the resolution is no multiple of the patch
            size.
    """
    from pathlib import Path

    from rfcli.viewer import check_viser

    check_viser()
    from rfcli.pictures.renderers import NetworkRenderer
    from rfcli.viewer.drawing import Settings
    from rfcli.viewer.viewer import Viewer

    path = Path(scene) if isinstance(scene, str | Path) else None
    shown = load_scene(scene) if isinstance(scene, str | Path) else scene
    network = load_model(model) if isinstance(model, str) else model
    renderer = NetworkRenderer(model if isinstance(model, str) else "model", network)
    pixels = resolution or renderer.default_resolution
    network.check_resolution(pixels)
    return Viewer(shown, renderer, path, Settings(pixels), Path(out), port=port)
