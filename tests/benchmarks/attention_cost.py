"""Compares the cost of the mechanisms with softmax, in one run: `python -m tests.benchmarks.attention_cost`.

Six heads of 128 channels on a random scene, one thread of the CPU, float32. Softmax above MAX_SOFTMAX triangles is
extrapolated as N^2 and marked with an asterisk. The mechanisms alternate, and the fastest run of each counts, in
processor time, so that other work on the machine hardly matters. `--max-triangles 16384` is shorter.

If performer-pytorch is installed (not a dependency: `pip install --target FOLDER performer-pytorch`, and FOLDER in
PYTHONPATH), its attention with default options is timed at the largest count. Finally, one layer of the base model runs
on a million triangles, each mechanism in its own process. This needs 16 GB of free memory and takes long; `--layer 0`
leaves it out.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import torch
from torch import Tensor

from rfcli.attention import AttentionLayer, Context, LayerSpec, create, find_mechanism
from rfcli.model import PRESETS, SceneBatch, with_attention
from rfcli.model.attention_context import surface_features
from rfcli.model.encodings import Rotation, rope_rotation
from rfcli.model.triangle_tokens import token_vertices
from rfcli.model.view_independent import ViewIndependentLayer
from rfcli.runtime.memory import PeakMemory, peak_resident_bytes
from rfcli.study.scenes.random_triangles import random_triangle_batch

HEADS, DIM = 6, 128
MAX_SOFTMAX = 16384
MIN_RUNS, MAX_RUNS = 5, 20
PERFORMER_PYTORCH = "performer-pytorch"
CPU = torch.device("cpu")
MECHANISMS: dict[str, tuple[str, dict[str, int]]] = {
    "sdpa": ("sdpa", {}),
    "performer": ("performer", {}),
    "nearfar 1024": ("nearfar", {"keys": 1024}),
    "nearfar 512": ("nearfar", {"keys": 512}),
}


def planned_context(mechanism: AttentionLayer, scene: SceneBatch) -> Context:
    """The context of a scene, with the plan of the mechanism."""
    context = Context(emitters=scene.emitters, features=surface_features(scene, 0))
    return replace(context, plan=mechanism.plan(context))


def operation(label: str, triangles: int) -> tuple[AttentionLayer, list[Tensor], Context]:
    """The mechanism, random q, k and v, and its context with its plan."""
    name, options = MECHANISMS[label]
    layer = create(name, heads=HEADS, head_dim=DIM, **options)
    context = planned_context(layer, random_triangle_batch(triangles, 0, CPU))
    generator = torch.Generator().manual_seed(0)
    return layer, [torch.randn(1, HEADS, triangles, DIM, generator=generator) for _ in range(3)], context


def fastest(work: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Seconds of the fastest run of each; at least MIN_RUNS runs each, for about `seconds` in total."""
    best = dict.fromkeys(work, math.inf)
    begin, runs = time.perf_counter(), 0
    while runs < MIN_RUNS or (time.perf_counter() - begin < seconds and runs < MAX_RUNS):
        for label, run in work.items():
            start = time.process_time()
            run()
            best[label] = min(best[label], time.process_time() - start)
        runs += 1
    return best


def forward_seconds(triangles: int, performer_pytorch: Callable[..., Tensor] | None) -> dict[str, float]:
    """Seconds of one call of each mechanism, and of performer-pytorch if given.

    Softmax is extrapolated as N^2 above MAX_SOFTMAX triangles. Linear mechanisms write into an existing buffer, as in
    the model.
    """
    operations = {
        label: operation(label, min(triangles, MAX_SOFTMAX) if label == "sdpa" else triangles) for label in MECHANISMS
    }
    buffer = torch.zeros_like(operations["performer"][1][0])

    def run(label: str) -> None:
        layer, inputs, context = operations[label]
        takes_buffer = find_mechanism(MECHANISMS[label][0]).takes_output_buffer
        layer(*inputs, context, **({"out": buffer} if takes_buffer else {}))

    work: dict[str, Callable[[], object]] = {label: partial(run, label) for label in MECHANISMS}
    if performer_pytorch is not None:
        work[PERFORMER_PYTORCH] = lambda: performer_pytorch(*operations["performer"][1])
    with torch.inference_mode():
        seconds = fastest(work, 8.0)
    seconds["sdpa"] *= max(1, triangles / MAX_SOFTMAX) ** 2
    return seconds


def load_performer_pytorch() -> Callable[..., Tensor] | None:
    """The attention of performer-pytorch with its defaults; None if it is not installed."""
    try:
        from performer_pytorch import FastAttention
    except ImportError:
        return None
    torch.manual_seed(0)
    layer: Callable[..., Tensor] = FastAttention(DIM)
    return layer


def backward_seconds(triangles: int) -> dict[str, float]:
    """Seconds of a forward and a backward pass together."""

    def run(layer: AttentionLayer, inputs: list[Tensor], context: Context) -> None:
        leaves = [x.requires_grad_() for x in inputs]
        torch.autograd.grad(layer(*leaves, context).sum(), leaves)

    return fastest({label: partial(run, *operation(label, triangles)) for label in MECHANISMS}, 8.0)


class NoAttention(AttentionLayer):
    """Returns the values: a layer with it has only matrix products, norms and RoPE."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
        return v


def base_layer(label: str, scene: SceneBatch) -> tuple[ViewIndependentLayer, Context]:
    """A layer of the base model with that mechanism or, for "without", no attention; and its context."""
    name, options = MECHANISMS.get(label, ("sdpa", {}))
    layer = ViewIndependentLayer(with_attention(PRESETS["base"], name, **options), index=0)
    context = planned_context(layer.multihead_attn.mechanism, scene)
    if label == "without":
        layer.multihead_attn.mechanism = NoAttention(LayerSpec(HEADS, DIM))
    return layer, context


def random_scene(triangles: int) -> tuple[SceneBatch, Rotation]:
    """A random scene, and the RoPE rotation of its tokens in the base model."""
    scene = random_triangle_batch(triangles, 0, CPU)
    frequencies = torch.linspace(1, 5, PRESETS["base"].vertex_pe_num_freqs // 2)
    return scene, rope_rotation(token_vertices(scene.triangles, scene.mask, 0), frequencies, DIM)


def layer_seconds(triangles: int) -> dict[str, float]:
    """Seconds of a layer of the base model, with each mechanism and without attention."""
    scene, rotation = random_scene(triangles)
    x = torch.randn(1, triangles, PRESETS["base"].latent_dim)
    work: dict[str, Callable[[], object]] = {}
    for label in ["without", "performer", "nearfar 1024", "nearfar 512"]:
        layer, context = base_layer(label, scene)
        work[label] = partial(layer, x, rotation, context)
    with torch.inference_mode():
        return fastest(work, 20.0)


def layer_bytes(label: str, triangles: int) -> int:
    """Peak resident memory of a process that runs one layer of the base model."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_layer, (label, triangles))


def _measure_layer(label: str, triangles: int) -> int:
    torch.set_num_threads(1)
    scene, rotation = random_scene(triangles)
    layer, context = base_layer(label, scene)
    x = torch.randn(1, triangles, PRESETS["base"].latent_dim)
    with torch.inference_mode():
        layer(x, rotation, context)
    return peak_resident_bytes()


def extra_bytes(label: str, triangles: int) -> int:
    """Peak memory of plan and call beyond q, k, v and out, measured in a new process."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_extra, (label, triangles))


def _measure_extra(label: str, triangles: int) -> int:
    torch.set_num_threads(1)
    layer, inputs, context = operation(label, triangles)
    small = operation(label, 2048)
    with torch.inference_mode():
        small[0](*small[1], small[2])
        out = 4 * inputs[0].numel()
        peak = PeakMemory(CPU)
        context = replace(context, plan=layer.plan(context))
        layer(*inputs, context)
        return (peak.bytes() or 0) - out


def growth(measured: dict[int, dict[str, float]], label: str) -> float:
    """Exponent of the seconds from 4k triangles (or the smallest count above) to the largest count."""
    counts = [n for n in sorted(measured) if n >= 4096]
    first, last = counts[0], counts[-1]
    return math.log(measured[last][label] / measured[first][label]) / math.log(last / first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--max-triangles", type=int, default=65536, help="largest number of triangles")
    parser.add_argument(
        "--layer", type=int, default=1 << 20, help="triangles of the layer whose memory is measured; 0 for none"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    counts = [n for n in (1024, 1536, 2048, 4096, 8192, 16384, 32768, 65536) if n <= arguments.max_triangles]
    largest, theirs = counts[-1], load_performer_pytorch()
    linear = [label for label in MECHANISMS if label != "sdpa"]

    print(f"processor seconds, {HEADS} heads x {DIM}, float32, torch {torch.__version__}")
    print(f"{'triangles':>10}" + "".join(f"{label:>14}" for label in MECHANISMS), flush=True)
    measured: dict[int, dict[str, float]] = {}
    for count in counts:
        measured[count] = forward_seconds(count, theirs if count == largest else None)
        cells = [f"{measured[count]['sdpa']:.3f}{'*' if count > MAX_SOFTMAX else ''}"]
        cells += [f"{measured[count][label]:.3f}" for label in linear]
        print(f"{count:>10}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
    print("* extrapolated as N^2\n\ntimes faster than softmax")
    for count in counts:
        cells = [f"{measured[count]['sdpa'] / measured[count][label]:.1f}" for label in linear]
        print(f"{count:>10}{'':>14}" + "".join(f"{cell:>14}" for cell in cells))

    def line(title: str, values: dict[str, str]) -> None:
        print(f"{title}: " + ", ".join(f"{label} {value}" for label, value in values.items()), flush=True)

    if largest > 4096:
        line("exponent from 4k", {label: f"{growth(measured, label):.2f}" for label in linear})
    if theirs is None:
        print(f"{PERFORMER_PYTORCH} is not installed; no comparison with it.")
    else:
        seconds = measured[largest][PERFORMER_PYTORCH]
        ratios = {label: f"{seconds / measured[largest][label]:.1f}x" for label in linear}
        line(f"times faster than {PERFORMER_PYTORCH} ({seconds:.1f} s) at {largest}", ratios)
    both = backward_seconds(min(8192, largest))
    ratios = {label: f"{both['sdpa'] / both[label]:.1f}x" for label in linear}
    line(f"forward and backward at {min(8192, largest)}, times faster than softmax", ratios)
    layer = layer_seconds(largest)
    shares = {label: f"{layer[label] / layer['without']:.2f}" for label in linear}
    line(f"layer of the base model at {largest} against the same without attention", shares)
    memory = {label: f"{extra_bytes(label, largest) / largest / 1000:.2f} kB" for label in linear}
    line(f"memory at {largest} beyond q, k, v and out, per triangle", memory)
    if arguments.layer:
        layer_memory = {
            label: f"{layer_bytes(label, arguments.layer) / 1e9:.2f} GB" for label in ["performer", "nearfar 1024"]
        }
        line(f"memory of a process with a layer of the base model at {arguments.layer}", layer_memory)


if __name__ == "__main__":
    main()
