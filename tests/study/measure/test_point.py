"""What a point runs: the stage or a whole render, under one of torch's kernels, in either format.

Points in processes of their own.
"""

import dataclasses
import os
import signal
import time

import numpy as np
import pytest
import torch

from rfcli.scene import TriangleScene
from rfcli.study.measure.point import Point, PointProcess, PointWork, under
from rfcli.study.measure.timing import DoesNotFit
from rfcli.study.scenes.random_triangles import one_scene, soup_camera, triangle_soup
from tests.support.small_study import SMALL, SMALL_STAGE

CPU = torch.device("cpu")


def test_the_stage_alone_has_no_view_and_a_whole_render_has_both() -> None:
    stage = PointWork(Point(SMALL_STAGE, 256, 0, "cpu")).run()
    assert stage.view == 0
    assert 0 < stage.operation < stage.seconds
    render = PointWork(Point(SMALL, 256, 0, "cpu", resolution=64)).run()
    assert 0 < render.view < render.seconds
    assert 0 < render.operation < render.seconds - render.view
    assert render.peak_bytes is not None


def test_a_scene_of_ones_own_is_what_is_run() -> None:
    soup = triangle_soup(40, 3, CPU)
    assert soup.material is not None
    arrays = [tensor[0].numpy() for tensor in (soup.triangles, soup.vn, soup.material)]
    c2w, fov = soup_camera()
    scene = TriangleScene(*arrays, c2w[0].numpy(), fov[0].numpy())
    work = PointWork(Point(SMALL, 40, 0, "cpu", scene=scene, resolution=16))
    assert torch.equal(work.batch.triangles, soup.triangles)
    assert torch.equal(work.camera[0], c2w)
    batch, camera = one_scene(scene, CPU)
    assert torch.equal(batch.triangles, soup.triangles)
    assert torch.equal(camera[1], fov)
    with torch.inference_mode():
        assert torch.equal(work.model.view_independent(batch), work.model.view_independent(work.batch))
    assert work.run().seconds > 0


def test_the_camera_has_the_soup_in_view() -> None:
    c2w, fov = soup_camera()
    corners = triangle_soup(500, 0, CPU).triangles.reshape(-1, 3)
    seen = (corners - c2w[0, 0, :3, 3]) @ c2w[0, 0, :3, :3]
    assert (seen[:, 2] < 0).all()
    slope = (seen[:, :2] / -seen[:, 2:]).abs().max(dim=1).values
    assert float((slope < np.tan(np.radians(float(fov) / 2))).float().mean()) > 0.9


@pytest.mark.parametrize("kernel", ["plain", "flash"])
def test_a_kernel_gives_the_same_answer(kernel: str) -> None:
    q, k, v = torch.randn(3, 1, 2, 64, 16, generator=torch.Generator().manual_seed(0))
    inner = torch.nn.functional.scaled_dot_product_attention
    assert torch.allclose(under(kernel, inner)(q, k, v), inner(q, k, v), atol=1e-5)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
@pytest.mark.parametrize("resolution", [None, 16])
def test_the_stage_runs_in_the_format_that_was_asked_for(
    precision: str, dtype: torch.dtype, resolution: int | None
) -> None:
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
        sample = PointWork(
            Point(config, 512, 0, "cuda", resolution=resolution, kernel=kernel, precision=precision)
        ).run()
        assert 0 < sample.operation < sample.seconds
        assert sample.peak_bytes


READY = 60.0  # seconds: a busy machine takes long to import torch


def test_runs_are_timed_and_their_memory_grows_with_the_scene() -> None:
    stage = dataclasses.replace(SMALL_STAGE, attention="performer", num_layers=1)
    small, large = (PointProcess(Point(stage, n, seed=0, device="cpu")) for n in (256, 60_000))
    try:
        samples = []
        for process in (small, large):
            process.wait_until_ready(READY)
            samples.append(process.run(READY))
    finally:
        small.close()
        large.close()
    assert 0 < samples[0].seconds < samples[1].seconds < READY
    activations = 60_000 * 48 * 4  # one array of tokens
    peak_small, peak_large = (sample.peak_bytes for sample in samples)
    assert peak_large is not None
    assert 3 * activations < peak_large < 200 * activations
    assert peak_small is not None
    assert peak_small < peak_large / 4


def test_a_process_that_is_killed_is_a_point_that_does_not_fit() -> None:
    process = PointProcess(Point(SMALL_STAGE, 64, seed=0, device="cpu"))
    try:
        process.wait_until_ready(READY)
        os.kill(process._process.pid or 0, signal.SIGKILL)  # as the kernel does where memory runs out
        with pytest.raises(DoesNotFit):
            process.run(READY)
    finally:
        process.close()


def test_time_that_runs_out_ends_the_wait_at_once() -> None:
    process = PointProcess(Point(SMALL_STAGE, 64, seed=0, device="cpu"))
    begun = time.monotonic()
    try:
        with pytest.raises(DoesNotFit):
            process.wait_until_ready(0.01)  # no torch is imported that fast
    finally:
        process.close()
    assert time.monotonic() - begun < 5
    assert not process._process.is_alive()


def test_a_defect_in_the_child_comes_back_as_it_is() -> None:
    process = PointProcess(Point(dataclasses.replace(SMALL_STAGE, attention="nothing"), 64, seed=0, device="cpu"))
    try:
        with pytest.raises(ValueError, match="nothing"):
            process.wait_until_ready(READY)
    finally:
        process.close()
