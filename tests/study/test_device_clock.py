"""The clock against sleeps and, on a GPU, against the clock on the wall."""

import time

import pytest
import torch

from rfcli.study.measure.clocks import DeviceClock


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
