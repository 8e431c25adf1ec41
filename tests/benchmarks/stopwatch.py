"""A second opinion on `rf bench`: `python tests/benchmarks/stopwatch.py bench/results.json`, on the same machine.

Times the view-independent stage with nothing of `rfcli.study`: a model of the same architecture with random weights, a
scene of its own, one process, the median of a few runs by the wall clock after a warm-up. Prints both numbers of every
point up to --most triangles, and their ratio; on a calm machine it stays within 0.8 to 1.25.
"""

import argparse
import dataclasses
import json
import statistics
import time
from pathlib import Path

import torch

from rfcli.model import PRESETS, RenderFormer, SceneBatch

RUNS = 5


def scene(triangles: int) -> SceneBatch:
    """Small triangles in the unit cube, grey but for one that emits."""
    generator = torch.Generator().manual_seed(7)
    corners = torch.rand(1, triangles, 1, 3, generator=generator) - 0.5
    corners = corners + 0.01 * torch.rand(1, triangles, 3, 3, generator=generator)
    normals = torch.zeros(1, triangles, 3, 3)
    normals[..., 2] = 1
    material = torch.zeros(1, triangles, 13)
    material[..., :7], material[..., 7:10] = 0.5, torch.tensor([0.5, 0.5, 1.0])
    material[:, 0, 10:] = 500.0
    return SceneBatch(corners, normals, torch.ones(1, triangles, dtype=torch.bool), material=material)


def seconds(attention: str, model: str, layers: int, keys: int | None, triangles: int) -> float:
    """Median seconds of the stage."""
    options = {"keys": keys} if attention == "nearfar" and keys else {}
    config = dataclasses.replace(
        PRESETS[{"large": "swin-large"}.get(model, model)],
        attention=attention,
        attention_options=options,
        num_layers=layers,
    )
    network, batch, taken = RenderFormer(config).eval(), scene(triangles), []
    with torch.no_grad():
        for _ in range(RUNS + 1):
            begun = time.perf_counter()
            network.view_independent(batch)
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--most", type=int, default=8192, help="largest number of triangles")
    told = parser.parse_args()
    study = json.loads(told.results.read_text())
    torch.set_num_threads(study["environment"]["threads"])
    print(f"{'attention':>12}{'triangles':>10}{'rf bench':>10}{'stopwatch':>10}{'ratio':>7}")
    for row in study["rows"]:
        if row["measured"] and row["triangles"] <= told.most:
            own = seconds(row["attention"], study["model"], study["layers"], study["keys"], row["triangles"])
            ratio = own / row["seconds"]
            print(f"{row['attention']:>12}{row['triangles']:>10}{row['seconds']:>10.4f}{own:>10.4f}{ratio:>7.2f}")


if __name__ == "__main__":
    main()
