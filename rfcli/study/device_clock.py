"""Seconds of work on a device: on CUDA between events of its own, elsewhere by the processor's clock."""

import time
from typing import TypeAlias

import torch

Mark: TypeAlias = "float | torch.cuda.Event"


class DeviceClock:
    """`begin = clock.mark(); work(); clock.seconds(begin, clock.mark())`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def mark(self) -> Mark:
        """This place in the device's work. CUDA passes it later, and nobody waits for that; other devices have done
        by now what they were asked."""
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self.device))
            return event
        self.wait()
        return time.perf_counter()

    def seconds(self, begin: Mark, end: Mark) -> float:
        """Between two marks; waits until the device has passed them."""
        if isinstance(begin, float) or isinstance(end, float):
            assert isinstance(begin, float)
            assert isinstance(end, float)
            return end - begin
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000

    def wait(self) -> None:
        """Until the device has done what it was asked."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
