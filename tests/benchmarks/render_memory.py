"""Measures the memory of a render: `python -m tests.benchmarks.render_memory --triangles 4k,16k,64k`.

The base model with random weights and linear attention renders one view of 256 x 256 pixels of a random scene, each
point in its own process. Growth is the peak of resident memory above the memory held before the render (model and
scene), also per triangle; peak is the high-water mark of the process. The memory of a layer does not depend on the
number of layers, so `--layers 1` measures the growth of the whole model in a twelfth of the time. The view-dependent
stage then keeps 4 of its 6 layers, the number that its head reads.
"""

import argparse
import time
from dataclasses import replace
from multiprocessing import get_context

import torch

from rfcli.cli.options import triangle_counts
from rfcli.model import PRESETS, RenderFormer, with_attention
from rfcli.model.rendering import render_timed
from rfcli.runtime.memory import PeakMemory, peak_resident_bytes
from rfcli.study.scenes.random_triangles import random_triangle_batch

RESOLUTION = 256
CPU = torch.device("cpu")


def measure(attention: str, triangles: int, layers: int | None, views: int) -> tuple[int, int, float, float]:
    """Bytes of growth and of the peak; seconds of the view-independent and, per view, of the view-dependent stage."""
    torch.set_num_threads(1)
    config = with_attention(PRESETS["base"], attention)
    if layers is not None:
        config = replace(config, num_layers=layers, view_transformer_n_layers=4)
    model = RenderFormer(config).eval()
    scene = random_triangle_batch(triangles, 0, CPU)
    c2w = torch.eye(4).repeat(1, views, 1, 1)
    c2w[..., 2, 3] = 1.8
    fov = torch.full((1, views), 40.0)
    peak = PeakMemory(CPU)
    _, seconds = render_timed(model, scene, c2w, fov, RESOLUTION)
    return peak.bytes() or 0, peak_resident_bytes(), seconds.view_independent, sum(seconds.view_dependent) / views


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--triangles", default="4k,16k")
    parser.add_argument("--attention", default="nearfar,performer")
    parser.add_argument("--layers", type=int, help="layers of the view-independent stage (default: 12)")
    parser.add_argument("--views", type=int, default=1)
    arguments = parser.parse_args()
    print(
        f"{'attention':>10}{'triangles':>10}{'growth MB':>11}{'kB / tri':>9}{'peak MB':>9}{'scene s':>9}{'view s':>8}"
    )
    for attention in arguments.attention.split(","):
        for count in triangle_counts("--triangles", arguments.triangles):
            start = time.perf_counter()
            with get_context("spawn").Pool(1) as pool:
                point = (attention, count, arguments.layers, arguments.views)
                growth, total, scene, view = pool.apply(measure, point)
            row = f"{attention:>10}{count:>10}{growth / 1e6:>11.0f}{growth / count / 1e3:>9.1f}{total / 1e6:>9.0f}"
            print(f"{row}{scene:>9.1f}{view:>8.1f}   ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
