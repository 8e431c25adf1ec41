"""Clocks, compared with sleeps and, on a GPU, with the wall clock."""

import dataclasses
import time

import pytest
import torch

from rfcli.model import RenderFormer
from rfcli.study.measure.clocks import DeviceClock, Mark, MechanismClock
from rfcli.study.scenes import random_triangle_batch
from tests.support.small_model import SMALL_STAGE

CPU = torch.device("cpu")


def test_cpu_clock_counts_elapsed_time() -> None:
    clock = DeviceClock(CPU)
    begin = clock.mark()
    time.sleep(0.05)
    end = clock.mark()
    assert 0.05 <= clock.seconds(begin, end) < 1.0
    assert clock.seconds(begin, begin) == 0


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: events are CUDA's own")
def test_cuda_clock_counts_the_work_and_not_the_launches() -> None:
    device = torch.device("cuda")
    clock, a = DeviceClock(device), torch.ones(4096, 4096, device=device)
    a @ a
    torch.cuda.synchronize()
    start = time.perf_counter()
    begin = clock.mark()
    for _ in range(50):
        a @ a
    launched = time.perf_counter() - start
    end = clock.mark()
    seconds = clock.seconds(begin, end)
    passed = time.perf_counter() - start
    assert seconds > 2 * launched  # the products were launched long before they were finished
    assert seconds == pytest.approx(passed, rel=0.2)


class CountingClock(DeviceClock):
    marks = 0

    def mark(self) -> Mark:
        self.marks += 1
        return super().mark()


@pytest.mark.parametrize("attention", ["sdpa", "performer", "hedgehog", "nearfar"])
def test_mechanism_clock_times_every_call_and_does_not_change_the_output(attention: str) -> None:
    model = RenderFormer(dataclasses.replace(SMALL_STAGE, attention=attention)).eval()
    scene = random_triangle_batch(96, 0, CPU)
    with torch.inference_mode():
        before = model.view_independent(scene)
        clock = CountingClock(CPU)
        mechanism_clock = MechanismClock(model, clock)
        start = time.perf_counter()
        after = model.view_independent(scene)
        whole = time.perf_counter() - start
    assert torch.equal(before, after)
    assert 0 < mechanism_clock.seconds() < whole
    assert clock.marks == 2 * (SMALL_STAGE.num_layers + 1)  # before and after each layer and the plan
    mechanism_clock.restart()
    assert mechanism_clock.seconds() == 0


def test_mechanism_clock_excludes_the_feed_forward_layer() -> None:
    model = RenderFormer(dataclasses.replace(SMALL_STAGE, num_layers=1)).eval()
    layer = model.transformer.layers[0]
    attend, feed_forward = layer.multihead_attn.mechanism.forward, layer.ffn.forward
    layer.multihead_attn.mechanism.forward = lambda *a: (time.sleep(0.2), attend(*a))[1]
    layer.ffn.forward = lambda *a: (time.sleep(0.5), feed_forward(*a))[1]
    mechanism_clock = MechanismClock(model, DeviceClock(CPU))
    start = time.perf_counter()
    with torch.inference_mode():
        model.view_independent(random_triangle_batch(32, 0, CPU))
    assert mechanism_clock.seconds() >= 0.2
    assert time.perf_counter() - start - mechanism_clock.seconds() >= 0.5
