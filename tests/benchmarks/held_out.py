"""Measures models on the test split: `python -m tests.benchmarks.held_out`.

Its scenes and shapes are in no training data. Makes the test split if it is missing (`rf gen-data --split test --scenes
64`, about three minutes), renders it with each model as `rf render` does, and prints the tables of the model cards. A
model is a name or folder, optionally with another attention mechanism and its number of keys: `tiny tiny@nearfar:128
runs/finetune`.
"""

import argparse
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.scores import score
from rfcli.model import RenderFormer, convert, load
from rfcli.model.rendering import render_views
from rfcli.training.scenes import collate, read_scenes
from rfcli.training.validation import attention_disabled, radiance

Images = npt.NDArray[np.float32]
COLUMNS = ("PSNR [0, 1]", "PSNR log2", "SSIM", "FLIP", "no attention")
TRIANGLE_BOUNDS = (0, 512, 1024, 1 << 30)


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
    entries = read_manifest(arguments.data)[: arguments.scenes]

    print("| model | triangles | scenes | " + " | ".join(COLUMNS) + " |")
    print("|---" * (3 + len(COLUMNS)) + "|")
    for text in arguments.models:
        model = parse_model(text)
        rows: dict[tuple[int, int], list[list[float]]] = defaultdict(list)
        with torch.inference_mode():
            scenes, _ = read_scenes(arguments.data, entries, arguments.resolution, model.config)
            for scene in scenes:
                count = len(scene.triangles)
                bound = next(i for i in range(3) if count < TRIANGLE_BOUNDS[i + 1])
                rows[bound, bound + 1].append(measure(model, scene, arguments.resolution))
        rows = dict(sorted(rows.items())) | {(0, 3): [row for part in rows.values() for row in part]}
        for (low, high), values in rows.items():
            span = (
                "all"
                if (low, high) == (0, 3)
                else f"{TRIANGLE_BOUNDS[low]:,} to {min(TRIANGLE_BOUNDS[high], 99_999):,}"
            )
            numbers = " | ".join(f"{x:.3f}" if 0 <= x < 1 else f"{x:.2f}" for x in np.mean(values, axis=0))
            print(f"| {text} | {span} | {len(values)} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
