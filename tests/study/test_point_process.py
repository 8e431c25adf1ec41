"""Points in processes of their own."""

import dataclasses
import os
import signal
import time

import pytest

from rfcli.study.measure.point import Point, PointProcess
from rfcli.study.measure.timing import DoesNotFit
from tests.study.small import SMALL_STAGE

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
