"""A point of a study: its work in this process, and in a process of its own."""

import dataclasses
import os
import signal
import time

import numpy as np
import pytest
import torch

from rfcli.model import SceneBatch
from rfcli.scene import TriangleScene
from rfcli.study.measure import DoesNotFit, Point, PointProcess
from rfcli.study.measure.point import PointWork, with_kernel
from rfcli.study.scenes import random_triangle_batch, random_triangle_camera
from tests.support.small_model import SMALL, SMALL_STAGE

CPU = torch.device("cpu")
START_SECONDS = 60.0  # a busy machine takes long to import torch


def test_stage_alone_has_no_view_and_a_whole_render_has_both() -> None:
    stage = PointWork(Point(SMALL_STAGE, 256, 0, "cpu")).run()
    assert stage.view == 0
    assert 0 < stage.operation < stage.seconds
    render = PointWork(Point(SMALL, 256, 0, "cpu", resolution=64)).run()
    assert 0 < render.view < render.seconds
    assert 0 < render.operation < render.seconds - render.view
    assert render.peak_bytes is not None


def test_given_scene_is_run_in_place_of_random_triangles() -> None:
    batch = random_triangle_batch(40, 3, CPU)
    assert batch.material is not None
    arrays = [tensor[0].numpy() for tensor in (batch.triangles, batch.vn, batch.material)]
    c2w, fov = random_triangle_camera()
    scene = TriangleScene(*arrays, c2w[0].numpy(), fov[0].numpy())
    work = PointWork(Point(SMALL, 40, 0, "cpu", scene=scene, resolution=16))
    assert torch.equal(work.batch.triangles, batch.triangles)
    assert torch.equal(work.camera[0], c2w)
    assert torch.equal(work.camera[1], fov)
    with torch.inference_mode():
        expected = work.model.view_independent(SceneBatch.from_scenes(scene))
        assert torch.equal(work.model.view_independent(work.batch), expected)
    assert work.run().seconds > 0


def test_camera_sees_the_random_triangles() -> None:
    c2w, fov = random_triangle_camera()
    corners = random_triangle_batch(500, 0, CPU).triangles.reshape(-1, 3)
    in_camera = (corners - c2w[0, 0, :3, 3]) @ c2w[0, 0, :3, :3]
    assert (in_camera[:, 2] < 0).all()
    slope = (in_camera[:, :2] / -in_camera[:, 2:]).abs().max(dim=1).values
    assert float((slope < np.tan(np.radians(float(fov) / 2))).float().mean()) > 0.9


@pytest.mark.parametrize("kernel", ["plain", "flash"])
def test_kernels_agree(kernel: str) -> None:
    q, k, v = torch.randn(3, 1, 2, 64, 16, generator=torch.Generator().manual_seed(0))
    inner = torch.nn.functional.scaled_dot_product_attention
    assert torch.allclose(with_kernel(kernel, inner)(q, k, v), inner(q, k, v), atol=1e-5)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
@pytest.mark.parametrize("resolution", [None, 16])
def test_stage_runs_in_the_requested_format(precision: str, dtype: torch.dtype, resolution: int | None) -> None:
    work = PointWork(Point(SMALL, 64, 0, "cpu", resolution=resolution, precision=precision))
    seen: set[torch.dtype] = set()
    projection = work.model.transformer.attentions()[0].in_proj
    projection.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    work.run()
    assert seen == {dtype}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: kernels and formats are measured there only")
@pytest.mark.parametrize(("kernel", "precision"), [("flash", "bf16"), ("plain", "bf16"), ("plain", "fp32")])
def test_every_kernel_and_format_runs_on_cuda(kernel: str, precision: str) -> None:
    config = dataclasses.replace(SMALL, attention="sdpa")
    for resolution in (None, 64):
        point = Point(config, 512, 0, "cuda", resolution=resolution, kernel=kernel, precision=precision)
        sample = PointWork(point).run()
        assert 0 < sample.operation < sample.seconds
        assert sample.peak_bytes


def test_process_reports_seconds_and_memory_that_grow_with_the_scene() -> None:
    stage = dataclasses.replace(SMALL_STAGE, attention="performer", num_layers=1)
    small, large = (PointProcess(Point(stage, n, seed=0, device="cpu")) for n in (256, 60_000))
    try:
        samples = []
        for process in (small, large):
            process.wait_until_ready(START_SECONDS)
            samples.append(process.run(START_SECONDS))
    finally:
        small.close()
        large.close()
    assert 0 < samples[0].seconds < samples[1].seconds < START_SECONDS
    activations = 60_000 * 48 * 4  # bytes of one array of tokens
    peak_small, peak_large = (sample.peak_bytes for sample in samples)
    assert peak_large is not None
    assert 3 * activations < peak_large < 200 * activations
    assert peak_small is not None
    assert peak_small < peak_large / 4


def test_killed_process_is_a_point_that_does_not_fit() -> None:
    process = PointProcess(Point(SMALL_STAGE, 64, seed=0, device="cpu"))
    try:
        process.wait_until_ready(START_SECONDS)
        os.kill(process._process.pid or 0, signal.SIGKILL)  # as the kernel does if memory runs out
        with pytest.raises(DoesNotFit):
            process.run(START_SECONDS)
    finally:
        process.close()


def test_waiting_ends_when_time_runs_out() -> None:
    process = PointProcess(Point(SMALL_STAGE, 64, seed=0, device="cpu"))
    start = time.monotonic()
    try:
        with pytest.raises(DoesNotFit):
            process.wait_until_ready(0.01)  # shorter than the import of torch
    finally:
        process.close()
    assert time.monotonic() - start < 5
    assert not process._process.is_alive()


def test_exception_in_the_process_is_raised_here() -> None:
    process = PointProcess(Point(dataclasses.replace(SMALL_STAGE, attention="nothing"), 64, seed=0, device="cpu"))
    try:
        with pytest.raises(ValueError, match="nothing"):
            process.wait_until_ready(START_SECONDS)
    finally:
        process.close()
