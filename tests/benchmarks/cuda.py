"""Checks and measures everything on a CUDA device in under six minutes: `python -m tests.benchmarks.cuda`.

1. Correctness: values and gradients of every attention mechanism, images of random models and the weights after some
   training steps, each against the CPU in float32. Numbers are those of float32 products (no tf32).
2. Attention: milliseconds of one call of each mechanism, six heads of 128 channels in bfloat16, against triangles.
3. Rendering: milliseconds of the view-independent stage (bfloat16) and of each view at 256 x 256 and 512 x 512 pixels,
   for base and swin-large with random weights on 4,096 triangles. renderformer-cuda states 112 ms and 78 ms for
   swin-large at 512 x 512 on an RTX 3080 Ti.
4. Training: steps per second of base, and the share of a step spent waiting for data, without and with workers.

What does not fit into the time is left out, and the script says so. Without CUDA it says so and does nothing. Exits
with 1 if something differs from the CPU.
"""

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rfcli.attention import Context, create, names
from rfcli.model import PRESETS, RenderFormer
from rfcli.model.attention_context import surface_features
from rfcli.model.rendering import render_views
from rfcli.study.scenes.random_triangles import random_triangle_batch
from rfcli.training.initialise import new_model
from rfcli.training.loader import Loader, automatic_workers
from rfcli.training.options import TrainOptions
from rfcli.training.run import Run, tf32_products
from rfcli.training.scenes import read_dataset
from tests.benchmarks.loading import VIEWS, write_scenes
from tests.support.attention_scenes import padded_context, sequence, with_plan
from tests.support.model_scenes import SMALL, cameras, random_batch
from tests.support.training_scenes import fresh_model, train_options, training_data

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
HEADS, DIM = 6, 128
SHAPES = [(1, 3, 17, 64), (2, 2, 130, 96), (1, 6, 2000, 128)]
TOLERANCE = 1e-4  # relative to the largest number; sums are in another order
RESOLUTIONS, TRIANGLES = (256, 512), 4096
COUNTS = (4096, 16384, 65536)  # triangles
WARM_UP = 6  # training steps
PUBLISHED = "renderformer-cuda on an RTX 3080 Ti: swin-large 112 ms, then 78 ms per view of 512 x 512"


def on(device: torch.device, context: Context) -> Context:
    """A context with its tensors on a device, without a plan."""
    values = {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}
    moved = {name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)}
    return dataclasses.replace(context, plan=None, **moved)


def distance(found: Tensor, expected: Tensor) -> float:
    """Largest difference relative to the largest number."""
    difference = (found.detach().cpu().double() - expected.detach().cpu().double()).abs().max()
    return float(difference / expected.detach().abs().max().cpu().double().clamp_min(1e-30))


def attention_distance(name: str, shape: tuple[int, int, int, int]) -> float:
    """Largest distance of values and gradients of a mechanism on CUDA from those on the CPU."""
    batch, heads, tokens, dim = shape
    torch.manual_seed(0)
    layer = create(name, heads=heads, head_dim=dim)
    results = []
    for device in (CPU, CUDA):
        here = layer.to(device)
        q, k, v = (x.float().to(device).requires_grad_() for x in sequence(*shape))
        context = with_plan(here, on(device, padded_context(batch, tokens)))
        out = here(q, k, v, context)
        weights = torch.linspace(-1, 1, out.numel()).view_as(out).to(device)
        gradients = torch.autograd.grad((out * weights).sum(), (q, k, v, *here.parameters()), materialize_grads=True)
        results.append([x.detach().cpu() for x in (out, *gradients)])
    return max(distance(found, expected) for expected, found in zip(*results, strict=True))


def image_distance(**changes: Any) -> float:
    """Distance of the images of a small random model on CUDA from those on the CPU."""
    model, batch, (c2w, fov) = new_model(dataclasses.replace(SMALL, **changes), 0).eval(), random_batch(), cameras()
    images = []
    for device in (CPU, CUDA):
        model.to(device)
        images.append(torch.cat([image.cpu() for image, _, _ in render_views(model, batch, c2w, fov, 32)], 1))
    return distance(images[1], images[0])


def training_distance() -> float:
    """Distance of the weights after some steps on CUDA from those on the CPU, relative to how far they have moved."""
    weights = []
    for device in (CPU, CUDA):
        run = Run(fresh_model().to(device), None, training_data(), train_options(Path("unused"), steps=8))
        run.precision = torch.float32
        run.model.train()
        for step in range(8):
            run.step(step)
        run.read_numbers()
        weights.append({name: value.cpu() for name, value in run.model.state_dict().items()})
    start = fresh_model().state_dict()

    def length(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
        return sum(float((a[name].double() - b[name].double()).square().sum()) for name in a) ** 0.5

    return length(weights[1], weights[0]) / length(weights[0], start)


def checks() -> Iterator[tuple[str, Callable[[], float], float]]:
    """What is compared, the comparison, and the largest distance allowed."""
    for name in names():
        yield f"attention {name}", partial(_largest_attention_distance, name), TOLERANCE
    for visibility in ("attention", "first-hit"):
        yield f"images, visibility {visibility}", partial(image_distance, visibility=visibility), 1e-3
    yield "images, near-far attention", partial(image_distance, attention="nearfar"), 1e-3
    yield "weights after eight training steps", training_distance, 2e-2


def _largest_attention_distance(name: str) -> float:
    return max(attention_distance(name, shape) for shape in SHAPES)


def milliseconds(work: Callable[[], object], seconds: float = 1.0) -> float:
    """Median time of a call, after three of warm-up."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - begin < seconds and len(times) < 100):
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


@torch.inference_mode()
def attention_milliseconds(name: str, triangles: int) -> float:
    layer = create(name, heads=HEADS, head_dim=DIM).to(CUDA)
    scene = random_triangle_batch(triangles, 0, CUDA)
    context = with_plan(layer, Context(emitters=scene.emitters, features=surface_features(scene, 0)))
    q, k, v = (torch.randn(1, HEADS, triangles, DIM, device=CUDA, dtype=torch.bfloat16) for _ in range(3))
    return milliseconds(lambda: layer(q, k, v, context))


def render_milliseconds(model: RenderFormer, resolution: int) -> tuple[float, float]:
    """Milliseconds of the view-independent stage and of a view."""
    batch = random_triangle_batch(TRIANGLES, 0, CUDA)
    c2w = torch.eye(4, device=CUDA).repeat(1, 8, 1, 1)
    c2w[..., 2, 3] = 1.8
    fov = torch.full((1, 8), 45.0, device=CUDA)
    list(render_views(model, batch, c2w[:, :2], fov[:, :2], resolution, "bf16"))  # warm-up
    found = [(stage, view) for _, stage, view in render_views(model, batch, c2w, fov, resolution, "bf16")]
    return 1e3 * found[0][0], 1e3 * statistics.median(view for _, view in found)


def train(folder: Path, workers: int, seconds: float) -> tuple[float, float]:
    """Steps of base per second, and the share of the time spent waiting for data."""
    options = TrainOptions(out=Path("unused"), data=folder, resolution=256, batch=4, views=VIEWS, steps=10**6, warmup=1)
    model = new_model(PRESETS["base"], 0).to(CUDA)
    run = Run(model, None, read_dataset(folder, options.curriculum, model.config), options)
    model.train()
    waited, measured, begin, step = 0.0, 0, time.perf_counter(), 0
    with tf32_products(CUDA), closing(Loader(run.batches, 0, 10**6, workers, CUDA, print)) as loader:
        while step < 2 * WARM_UP or time.perf_counter() - begin < seconds:
            if step == WARM_UP:
                torch.cuda.synchronize()
                waited, measured, begin = 0.0, 0, time.perf_counter()
            start = time.perf_counter()
            made = next(loader)
            waited += time.perf_counter() - start
            run.step(step, made)
            step, measured = step + 1, measured + 1
        torch.cuda.synchronize()
        spent = time.perf_counter() - begin
    return measured / spent, waited / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="after which no further measurement is started")
    arguments: Any = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device on this machine; nothing was checked or measured.")
        return
    end, failed = time.monotonic() + 60 * arguments.minutes, False

    def late(what: str) -> bool:
        if time.monotonic() < end:
            return False
        print(f"{what}: left out, the time is used up", flush=True)
        return True

    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    torch.backends.cudnn.allow_tf32 = False
    for what, work, limit in checks():
        if not late(what):
            found = work()
            failed |= not found <= limit
            print(f"{what}: differs from the CPU by {found:.1e} {'ok' if found <= limit else 'TOO MUCH'}", flush=True)
    torch.backends.cudnn.allow_tf32 = True
    print("milliseconds of attention, six heads of 128 channels, bfloat16: " + ", ".join(map(str, COUNTS)))
    for name in names():
        if not late(name):
            print(f"  {name}: " + ", ".join(f"{attention_milliseconds(name, n):.2f}" for n in COUNTS), flush=True)
    print(f"milliseconds of rendering {TRIANGLES:,} triangles ({PUBLISHED})")
    for preset in ("base", "swin-large"):
        model = new_model(PRESETS[preset], 0).eval().to(CUDA)
        for resolution in RESOLUTIONS:
            if not late(preset):
                stage, view = render_milliseconds(model, resolution)
                print(f"  {preset}, {resolution} x {resolution}: {stage:.1f}, then {view:.1f} per view", flush=True)
        del model
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_scenes(Path(scratch) / "data", 48, 256)
        for workers in (0, automatic_workers(CUDA)):
            if not late(f"training with {workers} workers"):
                rate, waiting = train(folder, workers, 15.0)
                print(
                    f"training base, batches of 4 scenes with {VIEWS} views of 256 x 256, {workers} workers: "
                    f"{rate:.2f} steps/s, {waiting:.1%} of the time waiting for data",
                    flush=True,
                )
    sys.exit(failed)


if __name__ == "__main__":
    main()
