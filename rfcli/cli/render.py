"""`rf render`: pictures of scenes, by a model or as a quick raster preview."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import rfcli
from rfcli.cli.console import Console
from rfcli.cli.options import ConfigFile, Device, Json, Out, Quiet, Seed, Verbose
from rfcli.cli.receipts import model_entry
from rfcli.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rfcli.scene import TriangleScene

    Images = npt.NDArray[np.float32]  # [V, H, W, 3], linear; 4 from models with alpha

RUNS = (Path("runs/train"), Path("runs/finetune"))  # where training leaves models
BUNDLED = "tiny"
RESOLUTION = 256  # of models that do not say what they were trained at


def render(
    scenes: Annotated[list[Path], typer.Argument(metavar="SCENE", help="Scene files, .json or .h5.")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A checkpoint folder, a Hugging Face id, or tiny. (default: the newest in runs/, else tiny)",
        ),
    ] = None,
    attention: Annotated[
        str | None, typer.Option(metavar="NAME", help="Run with another attention mechanism than the model's own.")
    ] = None,
    view: Annotated[int | None, typer.Option(min=0, help="Render this camera only. (default: all)")] = None,
    resolution: Annotated[
        int | None, typer.Option(min=8, help="Side of the image in pixels. (default: the model's, else 256)")
    ] = None,
    exposure: Annotated[float, typer.Option(help="Brightness of the PNG, in stops.")] = 0.0,
    preview: Annotated[bool, typer.Option("--preview", help="Rasterise with OpenGL instead of a model.")] = False,
    out: Out = Path(),
    device: Device = "auto",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Render scenes: a PNG to look at and an EXR (linear, HDR) to keep for each camera.

    Files are called like the scene, with -view0, -view1, ... where it has several cameras.

    Example: rf render examples/cornell-box.json --resolution 128
    """
    with Console("render", json=json, quiet=quiet, verbose=verbose) as console:
        jobs = _read_scenes(scenes, view)
        if preview:
            renderer = _raster_preview(resolution)
        else:
            renderer = _network(console, model, attention, resolution, device, seed)
        out.mkdir(parents=True, exist_ok=True)
        views: list[dict[str, Any]] = []
        outputs: list[Path] = []
        with console.progress("render", total=len(jobs), unit="scenes") as progress:
            for job in jobs:
                images, seconds = renderer.draw(job.scene)
                for number, name, image, spent in zip(job.views, job.names, images, seconds, strict=True):
                    about = {"scene": job.path.name, "view": str(number), "renderer": renderer.title}
                    outputs += _write(out / name, image, exposure, about)
                    console.say(f"{out / name}.png: {len(job.scene):,} triangles, {spent['total']:.2f} s")
                    facts = {"scene": job.path, "view": number, "triangles": len(job.scene)}
                    views.append({**facts, "resolution": renderer.resolution, "seconds": spent})
                progress.advance()
        console.receipt(renderer.device, outputs, **renderer.facts, views=views)


@dataclass(frozen=True)
class Job:
    """A scene and those of its cameras that are asked for, with the names of their pictures, without suffix."""

    path: Path
    scene: "TriangleScene"
    views: Sequence[int]
    names: Sequence[str]


@dataclass(frozen=True)
class Renderer:
    """draw: images of a scene's cameras, and of each the seconds by stage. facts: for the receipt."""

    draw: Callable[["TriangleScene"], tuple["Images", list[dict[str, float]]]]
    title: str
    resolution: int
    device: str
    facts: dict[str, Any]


def _read_scenes(paths: list[Path], view: int | None) -> list[Job]:
    """All of them before the first is rendered, so that a mistake in the last costs no waiting."""
    from rfcli.scene import load

    jobs = []
    for path in dict.fromkeys(paths):
        scene = load(path)
        cameras = len(scene.c2w)
        if view is not None and view >= cameras:
            raise InputError(f"--view {view}: {path} has {cameras} cameras, numbered from 0; lower it.")
        views = range(cameras) if view is None else [view]
        names = [path.stem if cameras == 1 else f"{path.stem}-view{number}" for number in views]
        jobs.append(Job(path, replace(scene, c2w=scene.c2w[views], fov=scene.fov[views]), views, names))
    names = [name for job in jobs for name in job.names]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"Two of the scenes would both be written to {twice[0]}.png; render them into two --out.")
    return jobs


def _raster_preview(resolution: int | None) -> Renderer:
    from rfcli.truth import RasterPreview

    size = resolution or RESOLUTION

    def draw(scene: "TriangleScene") -> tuple["Images", list[dict[str, float]]]:
        start = time.perf_counter()
        images = RasterPreview().render(scene, size)
        return images, [{"total": (time.perf_counter() - start) / len(images)}] * len(images)

    return Renderer(draw, "raster preview", size, "opengl", {})


def _network(
    console: Console, model: str | None, attention: str | None, resolution: int | None, device: str, seed: int
) -> Renderer:
    import torch

    from rfcli.model import SceneBatch, render_timed
    from rfcli.model.checkpoint import CONFIG, read_config
    from rfcli.model.conversion import NEED_TRAINING
    from rfcli.model.sources import locate

    torch.manual_seed(seed)  # for what a mechanism draws when it takes the place of the model's own
    name = model or _newest_run()
    network = rfcli.load_model(name, attention=attention, device=device)
    entry = model_entry(name, network)
    chosen = "" if model else " (the newest run)" if Path(name) in RUNS else " (bundled)"
    console.say(f"Model: {name}{chosen}, {entry['attention']} attention, {entry['parameters'] / 1e6:.1f} M parameters")
    trained_with = read_config(locate(name) / CONFIG).attention
    if network.config.attention != trained_with and network.config.attention in NEED_TRAINING:
        console.warn(f"this model learned with {trained_with}; with {attention} it needs rf finetune to be right.")
    size = resolution or network.config.training_resolution or RESOLUTION

    def draw(scene: "TriangleScene") -> tuple["Images", list[dict[str, float]]]:
        triangles, vn, material, c2w, fov = (
            torch.from_numpy(array)[None] for array in (scene.triangles, scene.vn, scene.material, scene.c2w, scene.fov)
        )
        batch = SceneBatch(triangles, vn, torch.ones(triangles.shape[:2], dtype=torch.bool), material=material)
        images, seconds = render_timed(network, batch, c2w, fov, size)
        stage = seconds.view_independent
        spent = [
            {"view_independent": stage, "view_dependent": each, "total": stage + each}
            for each in seconds.view_dependent
        ]
        return images[0].cpu().numpy(), spent

    used = next(network.parameters()).device.type
    return Renderer(draw, f"{name} ({entry['attention']})", size, used, {"model": entry})


def _newest_run() -> str:
    """The run whose weights were written last, else the bundled model."""
    weights = [run / "model.safetensors" for run in RUNS]
    written = {path.stat().st_mtime: path for path in weights if path.is_file()}
    return str(written[max(written)].parent) if written else BUNDLED


def _write(stem: Path, image: "Images", exposure: float, about: dict[str, str]) -> list[Path]:
    """STEM.exr and STEM.png; their paths."""
    from rfcli.images import to_display, write_exr, write_png

    exr, png = stem.with_name(f"{stem.name}.exr"), stem.with_name(f"{stem.name}.png")
    write_exr(exr, image, {**about, "rf": rfcli.__version__})
    write_png(png, to_display(image[..., :3], exposure))
    return [png, exr]
