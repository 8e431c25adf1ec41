"""A second opinion on `rf bench`: `python tests/benchmarks/stopwatch.py bench/results.json`, on the same machine.

Times the view-independent stage with nothing of `rfcli.study`: a model of the same architecture with random weights, a
scene of its own, a process of its own, the clock on the wall. Its runs and those of the study's own runner take turns
(A B B A ...), so that whatever else the machine does falls on both. Prints the median of both for every measured point
up to --most triangles, and the median of the ratios of neighbouring runs with its 95 % interval. The last column is
what results.json says, measured at another time, when the machine may have been faster or slower.

Ends with 1 where a ratio differs from 1 by more than --within and its interval does not reach that far.
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

PATIENCE = 600.0  # seconds


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


def architecture(attention: str, model: str, layers: int, keys: int | None) -> RenderFormerConfig:
    """What the study says that it ran."""
    name = {"large": "swin-large"}.get(model, model)
    config = PRESETS[name] if name in PRESETS else read_config(locate(model) / CONFIG)
    options = {"keys": keys} if attention == "nearfar" and keys else {}
    return dataclasses.replace(config, attention=attention, attention_options=options, num_layers=layers)


def serve(connection: Connection, config: RenderFormerConfig, triangles: int) -> None:
    """The stopwatch: seconds of one run for every message."""
    network, batch = RenderFormer(config).eval(), scene(triangles)
    with torch.no_grad():
        network.view_independent(batch)
        connection.send("ready")
        while connection.recv():
            begun = time.perf_counter()
            network.view_independent(batch)
            connection.send(time.perf_counter() - begun)


def taking_turns(first: Callable[[], float], second: Callable[[], float], rounds: int) -> np.ndarray:
    """[rounds, 2] seconds; who begins a round changes with it."""
    seconds = np.zeros((rounds, 2))
    for turn in range(rounds):
        for one in (0, 1) if turn % 2 == 0 else (1, 0):
            seconds[turn, one] = (first, second)[one]()
    return seconds


def compared(config: RenderFormerConfig, triangles: int, rounds: int) -> np.ndarray:
    """[rounds, 2] seconds of the study's runner and of the stopwatch."""
    from rfcli.study.measure.point import Point, PointProcess
    from rfcli.study.settings import stage_alone

    study = PointProcess(Point(stage_alone(config), triangles, 0, "cpu"))
    mine, theirs = multiprocessing.get_context("spawn").Pipe()
    own = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, config, triangles), daemon=True)
    own.start()

    def stopwatch() -> float:
        mine.send(True)
        return float(mine.recv())

    try:
        study.wait_until_ready(PATIENCE)
        mine.recv()
        taking_turns(lambda: study.run(PATIENCE).seconds, stopwatch, 1)  # the warm-up
        return taking_turns(lambda: study.run(PATIENCE).seconds, stopwatch, rounds)
    finally:
        study.close()
        own.kill()
        own.join()


def interval(ratios: np.ndarray) -> tuple[float, float]:
    """95 %, of the median, by drawing again with replacement."""
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--most", type=int, default=8192, help="largest number of triangles")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--within", type=float, default=0.1, help="what a ratio may differ from 1")
    told = parser.parse_args()
    study = json.loads(told.results.read_text())
    print(f"{'attention':>12}{'triangles':>10}{'rf bench':>10}{'stopwatch':>10}{'ratio (95 %)':>20}{'results':>10}")
    apart = 0
    for row in study["rows"]:
        if not row["measured"] or row["triangles"] > told.most:
            continue
        config = architecture(row["attention"], study["model"], study["layers"], study["keys"])
        seconds = compared(config, row["triangles"], told.rounds)
        ratios = seconds[:, 1] / seconds[:, 0]
        (low, high), ratio = interval(ratios), statistics.median(ratios)
        medians = np.median(seconds, axis=0)
        spoken = f"{ratio:.3f} ({low:.3f}-{high:.3f})"
        print(
            f"{row['attention']:>12}{row['triangles']:>10}{medians[0]:>10.4f}{medians[1]:>10.4f}{spoken:>20}"
            f"{row['seconds']:>10.4f}",
            flush=True,
        )
        apart += low > 1 + told.within or high < 1 - told.within
    print(f"{apart} points differ by more than {100 * told.within:.0f} %")
    sys.exit(apart > 0)


if __name__ == "__main__":
    main()
