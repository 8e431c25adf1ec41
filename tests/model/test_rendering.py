"""Rendering: the memory that a scene needs is estimated from below, and compiled views are unchanged."""

import shutil
import sys
from dataclasses import replace
from multiprocessing import get_context

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, render, with_attention
from rfcli.model.rendering import COMPILERS, check_memory, compile_views, needed_bytes
from rfcli.runtime.memory import PeakMemory
from rfcli.study.scenes.random_triangles import random_triangle_batch
from tests.support.model_scenes import cameras, random_batch, small_model

TRIANGLES = 1 << 15
CPU = torch.device("cpu")


def measured_and_estimated_bytes(attention: str) -> tuple[int, int]:
    """Peak memory of one layer of the tiny model's view-independent stage, measured and estimated."""
    model = RenderFormer(replace(with_attention(PRESETS["tiny"], attention), num_layers=1)).eval()
    with torch.no_grad():
        model.view_independent(random_triangle_batch(64, 0, CPU))
        scene = random_triangle_batch(TRIANGLES, 0, CPU)
        peak = PeakMemory(CPU)
        model.view_independent(scene)
    return peak.bytes() or 0, needed_bytes(model, TRIANGLES)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
@pytest.mark.parametrize("attention", ["performer", "nearfar"])
def test_estimated_memory_is_a_lower_bound_of_the_right_size(attention: str) -> None:
    """In a process of its own, whose peak resident memory is measured."""
    with get_context("spawn").Pool(1) as pool:
        measured, estimated = pool.apply(measured_and_estimated_bytes, (attention,))
    assert estimated <= measured < 4 * estimated


def test_scenes_that_need_more_memory_than_is_free_are_refused() -> None:
    check_memory(10**9, 1000, 10**9)
    with pytest.raises(
        InputError, match=r"2,000 triangles need more than 3\.0 GB .* 1\.0 GB are free; lower `max_triangles`"
    ):
        check_memory(3 * 10**9, 2000, 10**9)


def test_bf16_needs_less_memory() -> None:
    model = RenderFormer(PRESETS["tiny"])
    assert needed_bytes(model, 100, bf16=True) == 0.6 * needed_bytes(model, 100)


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="torch.compile needs a C++ compiler")
def test_compiled_views_equal_plain_views() -> None:
    model, batch = small_model(), random_batch(triangles=9)
    c2w, fov = cameras(views=3)
    plain, compiled = [], []
    for images in (plain, compiled):
        images.append(render(model, batch.triangles, batch.vn, c2w, fov, material=batch.material, resolution=16))
        compile_views(model)
    torch.testing.assert_close(compiled[0], plain[0], rtol=1e-4, atol=1e-4)
    assert model.view_transformer._compiled_call_impl is not None


def test_compiling_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfcli.model.rendering.shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"`compiled` needs a C\+\+ compiler"):
        compile_views(small_model())
