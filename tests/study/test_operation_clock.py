"""The clock counts the mechanism and its plan, and nothing else."""

import dataclasses
import time

import pytest
import torch

from rfcli.model import RenderFormer
from rfcli.study.operation_clock import OperationClock
from rfcli.study.soup import triangle_soup
from tests.study.small import SMALL_STAGE

CPU = torch.device("cpu")


@pytest.mark.parametrize("attention", ["sdpa", "performer", "hedgehog", "nearfar"])
def test_the_picture_does_not_change_and_time_is_counted(attention: str) -> None:
    model = RenderFormer(dataclasses.replace(SMALL_STAGE, attention=attention)).eval()
    scene = triangle_soup(96, 0, CPU)
    with torch.inference_mode():
        before = model.view_independent(scene)
        readings: list[int] = []
        clock = OperationClock(model, lambda: readings.append(1))
        begun = time.perf_counter()
        after = model.view_independent(scene)
        whole = time.perf_counter() - begun
    assert torch.equal(before, after)
    assert 0 < clock.seconds < whole
    plans = attention == "nearfar"
    assert len(readings) == 2 * (SMALL_STAGE.num_layers + plans)  # before and after each call


def test_a_slow_mechanism_is_the_clock_and_a_slow_feed_forward_is_not() -> None:
    model = RenderFormer(dataclasses.replace(SMALL_STAGE, num_layers=1)).eval()
    layer = model.transformer.layers[0]
    inner, feed = layer.multihead_attn.mechanism.forward, layer.ffn.forward
    layer.multihead_attn.mechanism.forward = lambda *a: (time.sleep(0.2), inner(*a))[1]
    layer.ffn.forward = lambda *a: (time.sleep(0.5), feed(*a))[1]
    clock = OperationClock(model, lambda: None)
    begun = time.perf_counter()
    with torch.inference_mode():
        model.view_independent(triangle_soup(32, 0, CPU))
    assert clock.seconds >= 0.2
    assert time.perf_counter() - begun - clock.seconds >= 0.5  # the feed-forward's sleep lies outside
