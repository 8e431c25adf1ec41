"""Measures what emitters cost: `python -m tests.benchmarks.emitter_cost`.

Processor seconds of the view-independent stage of the bundled model, one colour channel, on random scenes of 8,192
triangles of which 1, 8, 64 or 512 emit, and their ratio to those with one emitter. The numbers of emitters alternate,
and the fastest run of each counts. A model is a name or folder, optionally with another attention mechanism.
"""

import argparse
import time
from dataclasses import replace

import torch

from rfcli.model import RenderFormer, SceneBatch
from rfcli.study.scenes.random_triangles import random_triangle_batch
from tests.benchmarks.held_out import parse_model

EMITTERS = (1, 8, 64, 512)


def scene(triangles: int, emitters: int) -> SceneBatch:
    """A random grey scene whose first triangles emit."""
    batch = random_triangle_batch(triangles, 0, torch.device("cpu"))
    assert batch.material is not None
    material = batch.material.clone()
    for colour in (0, 3, 10):
        material[..., colour : colour + 3] = material[..., colour, None]
    material[..., 10:] = 0
    material[:, :emitters, 10:] = 1000.0
    return replace(batch, material=material, monochrome=True)


@torch.inference_mode()
def seconds(model: RenderFormer, batch: SceneBatch) -> float:
    """Processor seconds of the view-independent stage."""
    start = time.process_time()
    model.view_independent(batch)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["tiny@nearfar", "tiny-performer"])
    parser.add_argument("--triangles", type=int, default=8192)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scenes = {count: scene(arguments.triangles, count) for count in EMITTERS}
    print("| model | " + " | ".join(f"{count} emitters" for count in EMITTERS) + " |")
    print("|---" * (1 + len(EMITTERS)) + "|")
    for name in arguments.models:
        model = parse_model(name)
        seconds(model, scene(2048, 8))  # the first run of a shape of tensors is slower
        runs = [{count: seconds(model, batch) for count, batch in scenes.items()} for _ in range(arguments.runs)]
        best = {count: min(run[count] for run in runs) for count in EMITTERS}
        cells = [f"{best[count]:.2f} s ({best[count] / best[EMITTERS[0]]:.2f})" for count in EMITTERS]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
