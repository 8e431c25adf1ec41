"""The clock against sleeps and, on a GPU, against the clock on the wall.

The clock counts the mechanism and its plan, and nothing else.
"""

import dataclasses
import time

import pytest
import torch

from rfcli.model import RenderFormer
from rfcli.study.measure.clocks import DeviceClock, Mark, OperationClock
from rfcli.study.scenes.random_triangles import triangle_soup
from tests.support.small_study import SMALL_STAGE


def test_on_a_cpu_it_reads_what_has_passed() -> None:
    clock = DeviceClock(torch.device("cpu"))
    begin = clock.mark()
    time.sleep(0.05)
    end = clock.mark()
    assert 0.05 <= clock.seconds(begin, end) < 1.0
    assert clock.seconds(begin, begin) == 0


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: events are CUDA's own")
def test_on_cuda_it_counts_the_work_and_not_the_asking() -> None:
    device = torch.device("cuda")
    clock, a = DeviceClock(device), torch.ones(4096, 4096, device=device)
    a @ a
    clock.wait()
    begun = time.perf_counter()
    begin = clock.mark()
    for _ in range(50):
        a @ a
    asked = time.perf_counter() - begun
    end = clock.mark()
    seconds = clock.seconds(begin, end)
    passed = time.perf_counter() - begun
    assert seconds > 2 * asked  # the products were asked for long before they were done
    assert seconds == pytest.approx(passed, rel=0.2)


CPU = torch.device("cpu")


class Counting(DeviceClock):
    marks = 0

    def mark(self) -> Mark:
        self.marks += 1
        return super().mark()


@pytest.mark.parametrize("attention", ["sdpa", "performer", "hedgehog", "nearfar"])
def test_the_picture_does_not_change_and_time_is_counted(attention: str) -> None:
    model = RenderFormer(dataclasses.replace(SMALL_STAGE, attention=attention)).eval()
    scene = triangle_soup(96, 0, CPU)
    with torch.inference_mode():
        before = model.view_independent(scene)
        clock = Counting(CPU)
        operation = OperationClock(model, clock)
        begun = time.perf_counter()
        after = model.view_independent(scene)
        whole = time.perf_counter() - begun
    assert torch.equal(before, after)
    assert 0 < operation.seconds() < whole
    plans = attention == "nearfar"
    assert clock.marks == 2 * (SMALL_STAGE.num_layers + plans)  # before and after each call
    operation.restart()
    assert operation.seconds() == 0


def test_a_slow_mechanism_is_the_clock_and_a_slow_feed_forward_is_not() -> None:
    model = RenderFormer(dataclasses.replace(SMALL_STAGE, num_layers=1)).eval()
    layer = model.transformer.layers[0]
    inner, feed = layer.multihead_attn.mechanism.forward, layer.ffn.forward
    layer.multihead_attn.mechanism.forward = lambda *a: (time.sleep(0.2), inner(*a))[1]
    layer.ffn.forward = lambda *a: (time.sleep(0.5), feed(*a))[1]
    operation = OperationClock(model, DeviceClock(CPU))
    begun = time.perf_counter()
    with torch.inference_mode():
        model.view_independent(triangle_soup(32, 0, CPU))
    assert operation.seconds() >= 0.2
    assert time.perf_counter() - begun - operation.seconds() >= 0.5  # the feed-forward's sleep lies outside
