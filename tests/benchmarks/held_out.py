"""Measures models on the test split: `python -m tests.benchmarks.held_out`.

Its scenes and shapes are in no training data. Makes the test split if it is missing (`rf gen-data --split test --scenes
64`, about three minutes), renders it with each model as `rf render` does, and prints the tables of the model cards:
scenes by number of triangles, all scenes, and those with a single light. A model is a name or folder, optionally with
another attention mechanism and its number of keys: `tiny tiny@nearfar:128 runs/finetune`.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.storage import Storage
from rfcli.dataset.streaming import StreamedScenes, pack_offsets
from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.scores import score
from rfcli.model import RenderFormer, convert, load
from rfcli.model.rendering import render_views
from rfcli.scene.triangle_scene import light_indices
from rfcli.training.batch import collate
from rfcli.training.scenes import read_scenes
from rfcli.training.validation import attention_disabled, radiance

Images = npt.NDArray[np.float32]
COLUMNS = ("PSNR [0, 1]", "PSNR log2", "SSIM", "FLIP", "no attention")
# The rows of the table: scenes by their numbers of triangles and of lights.
GROUPS: dict[str, Callable[[int, int], bool]] = {
    "up to 512 triangles": lambda triangles, _: triangles < 512,
    "512 to 1,024": lambda triangles, _: 512 <= triangles < 1024,
    "1,024 and more": lambda triangles, _: triangles >= 1024,
    "all": lambda *_: True,
    "one light": lambda _, lights: lights == 1,
}


def clamped_psnr(image: Images, truth: Images) -> float:
    """PSNR (dB) of radiance clamped to 0..1."""
    error = np.clip(image, 0, 1) - np.clip(truth, 0, 1)
    return float(-10 * np.log10(max(float((error**2).mean()), 1e-10)))


def parse_model(text: str) -> RenderFormer:
    """Load MODEL, MODEL@ATTENTION or MODEL@nearfar:KEYS."""
    name, _, attention = text.partition("@")
    model = load(name)
    if not attention:
        return model
    mechanism, _, keys = attention.partition(":")
    return convert(model, mechanism, **({"keys": int(keys)} if keys else {}))


def measure(model: RenderFormer, scene: TrainingScene, resolution: int) -> list[float]:
    """One number per entry of COLUMNS, averaged over the views of the scene."""
    batch = collate([scene], torch.device("cpu"))

    def render() -> Images:
        views = render_views(model, batch.scenes, batch.c2w, batch.fov, resolution)
        return torch.cat([view[0] for view, _, _ in views]).numpy()

    prediction, truth = render(), radiance(batch.truth[0])
    with attention_disabled(model):
        without_attention = render()
    rows = []
    for image, reference, silent in zip(prediction, truth, without_attention, strict=True):
        scores, _ = score(image, reference)
        psnr = clamped_psnr(image, reference)
        rows.append([psnr, scores.psnr, scores.ssim, scores.flip, clamped_psnr(silent, reference)])
    return [float(x) for x in np.mean(rows, axis=0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["tiny", "tiny-performer", "tiny@nearfar:128"])
    parser.add_argument("--data", type=Path, default=Path("data-test"))
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--resolution", type=int, default=128)
    arguments = parser.parse_args()
    command = ["gen-data", "--split", "test", "--scenes", str(arguments.scenes), "--out", str(arguments.data)]
    subprocess.run([sys.executable, "-c", "from rfcli.cli.app import main; main()", *command], check=True)
    manifest = read_manifest(arguments.data)

    print("| model | scenes | number | " + " | ".join(COLUMNS) + " |")
    print("|---" * (3 + len(COLUMNS)) + "|")
    for text in arguments.models:
        model = parse_model(text)
        rows = []
        with torch.inference_mode():
            places = np.arange(min(arguments.scenes, len(manifest)))
            streamed = StreamedScenes(
                Storage(arguments.data), manifest, pack_offsets(manifest), places, arguments.resolution
            )
            scenes, _ = read_scenes(streamed, model.config)
            for scene in scenes:
                counts = len(scene.triangles), int(light_indices(scene.material).max()) + 1
                rows.append((counts, measure(model, scene, arguments.resolution)))
        for group, contains in GROUPS.items():
            values = [numbers for counts, numbers in rows if contains(*counts)]
            if values:
                means = " | ".join(f"{x:.3f}" if 0 <= x < 1 else f"{x:.2f}" for x in np.mean(values, axis=0))
                print(f"| {text} | {group} | {len(values)} | {means} |", flush=True)


if __name__ == "__main__":
    main()
