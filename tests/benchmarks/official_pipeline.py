"""Compares rf with the official pipeline, in one run.

    git clone https://github.com/microsoft/renderformer && pip install -r renderformer/requirements.txt
    python -m tests.benchmarks.official_pipeline --official renderformer

Three parts. In each, rf and the official code alternate; medians count, in processor time of one thread, so that other
work on the machine hardly matters. `--only tensors|render|cold` runs one part.

tensors  From a scene file to tensors in memory: the official converter and its HDF5 file, and `rfcli.load_scene`.
         Seconds, and the rise of the process's memory; imports are not counted.
render   The same random weights of the base model, the same scene of --triangles triangles, 256 x 256, float32. The
         official code reads textures, as made by its converter; rf reads materials. rf with exact softmax and with
         near-far attention. Also the largest deviation of the images. With exact softmax, nine tenths of the time of rf
         is in torch's matrix products and softmax kernel, which the official code calls as well.
cold     `rf render` with the bundled model, from the start of the process to its end, with compiled bytecode in place.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parents[2]
SCENES = ("cornell-box", "still-life", "chess")
TARGETS = {"tensors, time": 20.0, "tensors, memory": 20.0, "render": 1.3, "render, near-far": 1.3}
COLD_SECONDS = 4.0
RESOLUTION = 256
# Imports of the official code:
MODULES = ("dacite", "roma", "trimesh", "pymeshlab", "h5py", "einops", "huggingface_hub")


def find_official(folder: Path) -> None:
    """Make the clone importable. Exits with a message if it, or a package that it needs, is missing."""
    for name in ("renderformer/pipelines/rendering_pipeline.py", "scene_processor/scene_mesh.py"):
        if not (folder / name).is_file():
            sys.exit(
                f"--official {folder}: there is no {name}; clone https://github.com/microsoft/renderformer and give "
                "the clone's folder."
            )
    os.environ["ATTN_IMPL"] = "sdpa"  # its path for machines without flash-attn
    sys.path += [str(folder), str(folder / "scene_processor")]
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"The official code needs {', '.join(missing)}; run pip install -r {folder}/requirements.txt.")
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=".*utocast.*")


def official_tensors(scene: Path) -> dict[str, torch.Tensor]:
    """As in the official scripts: JSON, a mesh file per object, HDF5, float32 tensors."""
    import h5py
    from dacite import Config, from_dict
    from scene_config import SceneConfig
    from scene_mesh import generate_scene_mesh
    from to_h5 import save_to_h5

    config = from_dict(SceneConfig, json.loads(scene.read_text()), Config(check_types=True, strict=True))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        mesh, file = f"{folder}/mesh.obj", f"{folder}/scene.h5"
        generate_scene_mesh(config, mesh, str(scene.parent))
        save_to_h5(config, mesh, file)
        with h5py.File(file) as stored:
            return {name: torch.from_numpy(np.array(stored[name]).astype(np.float32)) for name in stored}


def rf_tensors(scene: Path) -> dict[str, torch.Tensor]:
    import rfcli

    loaded = rfcli.load_scene(scene)
    return {name: torch.from_numpy(getattr(loaded, name)) for name in ("triangles", "vn", "material", "c2w", "fov")}


CONVERTERS: dict[str, Callable[[Path], dict[str, torch.Tensor]]] = {"official": official_tensors, "rf": rf_tensors}


def measure_tensors(code: str, scene: Path) -> tuple[float, int, int]:
    """Seconds, bytes allocated, and triangles. Runs in a process that does nothing else."""
    from rfcli.runtime.memory import PeakMemory

    peak = PeakMemory(torch.device("cpu"))
    start = time.process_time()
    tensors = CONVERTERS[code](scene)
    return time.process_time() - start, peak.bytes() or 0, len(tensors["triangles"])


def compare_tensors(folder: Path, scenes: list[Path], turns: int) -> dict[str, float]:
    """The smallest ratios over all scenes."""
    worst = {"tensors, time": float("inf"), "tensors, memory": float("inf")}
    spawn = get_context("spawn")
    for scene in scenes:
        found: dict[str, list[tuple[float, int, int]]] = {code: [] for code in CONVERTERS}
        with contextlib.ExitStack() as stack:
            workers = {code: stack.enter_context(spawn.Pool(1, find_official, (folder,))) for code in CONVERTERS}
            for code, worker in workers.items():
                worker.apply(measure_tensors, (code, ROOT / "examples" / "vase.json"))  # imports
            for _ in range(turns):
                for code, worker in workers.items():
                    found[code].append(worker.apply(measure_tensors, (code, scene)))
        seconds = {code: statistics.median(turn[0] for turn in found[code]) for code in CONVERTERS}
        # Later runs reuse memory of the first one, so the largest rise is the right one.
        memory = {code: max(turn[1] for turn in found[code]) for code in CONVERTERS}
        faster = statistics.median(a[0] / b[0] for a, b in zip(found["official"], found["rf"], strict=True))
        smaller = memory["official"] / memory["rf"]
        print(
            f"{scene.stem}, {found['rf'][0][2]:,} triangles: tensors {faster:.0f}x faster "
            f"({seconds['official']:.2f} s, {seconds['rf']:.3f} s), {smaller:.0f}x less memory "
            f"({memory['official'] / 1e6:.0f} MB, {memory['rf'] / 1e6:.1f} MB)",
            flush=True,
        )
        worst = {name: min(worst[name], ratio) for name, ratio in zip(worst, (faster, smaller), strict=True)}
    return worst


def compare_render(triangles: int, turns: int) -> dict[str, float]:
    """Ratios of render time: base model, the same weights, one scene, one camera."""
    from renderformer import RenderFormer as OfficialModel
    from renderformer import RenderFormerRenderingPipeline
    from renderformer.models.config import RenderFormerConfig as OfficialConfig

    from rfcli.model import PRESETS, convert, render
    from rfcli.model.triangle_tokens import triangular_mask
    from rfcli.study.scenes.random_triangles import random_triangle_batch
    from rfcli.training.initialise import new_model

    ours = new_model(PRESETS["base"], seed=0).eval()
    models = {"rf": ours, "rf, near-far": convert(ours, "nearfar")}
    with torch.device("meta"):
        theirs = OfficialModel(OfficialConfig(**ours.config.to_dict()))
    theirs.load_state_dict(ours.state_dict(), assign=True)
    pipeline = RenderFormerRenderingPipeline(theirs.eval())
    c2w = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, -1.8], [0, 1, 0, 0], [0, 0, 0, 1]])[None, None]
    fov = torch.tensor([[[45.0]]])

    def run(code: str, count: int) -> tuple[torch.Tensor, float]:
        scene = random_triangle_batch(count, 0, torch.device("cpu"))
        assert scene.material is not None
        if code in models:
            start = time.process_time()
            image = render(
                models[code], scene.triangles, scene.vn, c2w, fov, material=scene.material, resolution=RESOLUTION
            )
            return image, time.process_time() - start
        texture = scene.material[..., None, None] * triangular_mask(32)
        inputs = (scene.triangles, texture, scene.mask, scene.vn, c2w, fov)
        start = time.process_time()
        image = pipeline(*inputs, resolution=RESOLUTION, torch_dtype=torch.float32)
        return image, time.process_time() - start

    seconds: dict[str, list[float]] = {code: [] for code in ("official", *models)}
    for code in seconds:
        run(code, 64)
    for _ in range(turns):
        images = {}
        for code, found in seconds.items():
            images[code], spent = run(code, triangles)
            found.append(spent)
    ratios = {}
    for code in models:
        pairs = zip(seconds["official"], seconds[code], strict=True)
        ratios[code] = statistics.median(official / ours for official, ours in pairs)
        deviation = (images[code] - images["official"]).abs().max() / images["official"].abs().max()
        print(
            f"base model, {triangles:,} triangles at {RESOLUTION} x {RESOLUTION}, {code}: render {ratios[code]:.2f}x "
            f"faster ({statistics.median(seconds['official']):.1f} s, {statistics.median(seconds[code]):.1f} s), "
            f"deviation {deviation:.1e} of the largest value",
            flush=True,
        )
    return {"render": ratios["rf"], "render, near-far": ratios["rf, near-far"]}


def cold_seconds(turns: int) -> float:
    """Median wall-clock seconds of `rf render`; prints processor seconds too."""
    command = [sys.executable, "-c", "from rfcli.cli.app import main; main()", "render"]
    wall: list[float] = []
    processor: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        command += [str(ROOT / "examples" / "cornell-box.json"), "--model", "tiny", "--quiet", "--out", folder]
        for _ in range(turns + 1):
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, check=True, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)})
            wall.append(time.perf_counter() - start)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    seconds = statistics.median(wall[1:])
    print(f"cold rf render: {seconds:.1f} s, {statistics.median(processor[1:]):.1f} s of it computing", flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--official", type=Path, required=True, metavar="DIR", help="a clone of microsoft/renderformer")
    parser.add_argument("--scene", type=Path, action="append", help="scene files to convert (default: three examples)")
    parser.add_argument("--triangles", type=int, default=4096, help="triangles of the rendered scene")
    parser.add_argument("--turns", type=int, default=3, help="runs of each code, in each part")
    parser.add_argument("--only", choices=("tensors", "render", "cold"), help="run one part instead of all three")
    arguments: Any = parser.parse_args()
    folder = arguments.official.resolve()
    find_official(folder)

    ratios: dict[str, float] = {}
    if arguments.only in (None, "tensors"):
        scenes = arguments.scene or [ROOT / "examples" / f"{name}.json" for name in SCENES]
        ratios |= compare_tensors(folder, [scene.resolve() for scene in scenes], arguments.turns)
    if arguments.only in (None, "render"):
        ratios |= compare_render(arguments.triangles, arguments.turns)
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f}x, target {TARGETS[name]:g}x: {'yes' if ratio >= TARGETS[name] else 'NO'}")
    if arguments.only in (None, "cold"):
        seconds = cold_seconds(arguments.turns)
        print(f"cold: {seconds:.1f} s, target below {COLD_SECONDS:g} s: {'yes' if seconds < COLD_SECONDS else 'NO'}")


if __name__ == "__main__":
    main()
