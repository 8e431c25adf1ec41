"""Checks `rf bench` against an independent timer: `python -m tests.benchmarks.stopwatch bench/results.json`.

Run it on the machine that made the results. It times the view-independent stage without any code of `rfcli.study`: a
model of the same architecture with random weights, its own scene, its own process, wall-clock time. Its runs alternate
with those of the study's own timer (A B B A ...), so that other work on the machine affects both alike. For every
measured point up to --max-triangles it prints both medians, and the median ratio of neighbouring runs with its 95 %
interval. The last column is the value in results.json, measured at another time.

Exits with 1 if a ratio differs from 1 by more than --tolerance, and its interval does not overlap 1 +- tolerance.
"""

import argparse
import dataclasses
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from rfcli.model import PRESETS, RenderFormer, RenderFormerConfig, SceneBatch
from rfcli.model.checkpoint import CONFIG, read_config
from rfcli.model.hub import locate

TIMEOUT_SECONDS = 600.0


def scene(triangles: int) -> SceneBatch:
    """Small grey triangles in the unit cube, the first of which is a light."""
    generator = torch.Generator().manual_seed(7)
    corners = torch.rand(1, triangles, 1, 3, generator=generator) - 0.5
    corners = corners + 0.01 * torch.rand(1, triangles, 3, 3, generator=generator)
    normals = torch.zeros(1, triangles, 3, 3)
    normals[..., 2] = 1
    material = torch.zeros(1, triangles, 13)
    material[..., :7], material[..., 7:10] = 0.5, torch.tensor([0.5, 0.5, 1.0])
    material[:, 0, 10:] = 500.0
    return SceneBatch(corners, normals, torch.ones(1, triangles, dtype=torch.bool), material=material)


def architecture(attention: str, model: str, layers: int, keys: int | None) -> RenderFormerConfig:
    """The configuration of a row of the study."""
    name = {"large": "swin-large"}.get(model, model)
    config = PRESETS[name] if name in PRESETS else read_config(locate(model) / CONFIG)
    options = {"keys": keys} if attention == "nearfar" and keys else {}
    return dataclasses.replace(config, attention=attention, attention_options=options, num_layers=layers)


def serve(connection: Connection, config: RenderFormerConfig, triangles: int) -> None:
    """Process of the timer: times one run for every message, and replies with its seconds."""
    network, batch = RenderFormer(config).eval(), scene(triangles)
    with torch.no_grad():
        network.view_independent(batch)
        connection.send("ready")
        while connection.recv():
            begun = time.perf_counter()
            network.view_independent(batch)
            connection.send(time.perf_counter() - begun)


def alternate(first: Callable[[], float], second: Callable[[], float], rounds: int) -> np.ndarray:
    """[rounds, 2] seconds; which of the two runs first alternates."""
    seconds = np.zeros((rounds, 2))
    for turn in range(rounds):
        for one in (0, 1) if turn % 2 == 0 else (1, 0):
            seconds[turn, one] = (first, second)[one]()
    return seconds


def compare(config: RenderFormerConfig, triangles: int, rounds: int) -> np.ndarray:
    """[rounds, 2] seconds, of the study's timer and of the independent one."""
    from rfcli.study.measure.point import Point, PointProcess
    from rfcli.study.settings import stage_only

    study = PointProcess(Point(stage_only(config), triangles, 0, "cpu"))
    connection, child_connection = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(child_connection, config, triangles), daemon=True
    )
    process.start()

    def stopwatch() -> float:
        connection.send(True)
        return float(connection.recv())

    try:
        study.wait_until_ready(TIMEOUT_SECONDS)
        connection.recv()
        alternate(lambda: study.run(TIMEOUT_SECONDS).seconds, stopwatch, 1)  # warm-up
        return alternate(lambda: study.run(TIMEOUT_SECONDS).seconds, stopwatch, rounds)
    finally:
        study.close()
        process.kill()
        process.join()


def interval(ratios: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    samples = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(samples, axis=1), (2.5, 97.5))
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--max-triangles", type=int, default=8192, help="largest number of triangles")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--tolerance", type=float, default=0.1, help="allowed difference of a ratio from 1")
    arguments = parser.parse_args()
    study = json.loads(arguments.results.read_text())
    print(f"{'attention':>12}{'triangles':>10}{'rf bench':>10}{'stopwatch':>10}{'ratio (95 %)':>20}{'results':>10}")
    differing = 0
    for row in study["rows"]:
        if not row["measured"] or row["triangles"] > arguments.max_triangles:
            continue
        config = architecture(row["attention"], study["model"], study["layers"], study["keys"])
        seconds = compare(config, row["triangles"], arguments.rounds)
        ratios = seconds[:, 1] / seconds[:, 0]
        (low, high), ratio = interval(ratios), statistics.median(ratios)
        medians = np.median(seconds, axis=0)
        ratio_text = f"{ratio:.3f} ({low:.3f}-{high:.3f})"
        print(
            f"{row['attention']:>12}{row['triangles']:>10}{medians[0]:>10.4f}{medians[1]:>10.4f}{ratio_text:>20}"
            f"{row['seconds']:>10.4f}",
            flush=True,
        )
        differing += low > 1 + arguments.tolerance or high < 1 - arguments.tolerance
    print(f"{differing} points differ by more than {100 * arguments.tolerance:.0f} %")
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
