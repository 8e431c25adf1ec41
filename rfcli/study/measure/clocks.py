"""Seconds of work on a device: on CUDA between events of its own, elsewhere by the processor's clock.

How much of the stage's time is the attention mechanism itself.
"""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn

from rfcli.model import RenderFormer

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


class OperationClock:
    """Watches the mechanisms of a model's view-independent stage, the making of a plan included."""

    def __init__(self, model: RenderFormer, clock: DeviceClock) -> None:
        self._clock = clock
        self._stretches: list[tuple[Mark, Mark]] = []
        for attention in model.transformer.attentions():
            self._watch(attention.mechanism)

    def restart(self) -> None:
        """Forget what was watched so far."""
        self._stretches.clear()

    def seconds(self) -> float:
        """Inside the mechanisms since `restart`."""
        return sum(self._clock.seconds(begin, end) for begin, end in self._stretches)

    def _watch(self, mechanism: nn.Module) -> None:
        for name in ("forward", "plan"):
            setattr(mechanism, name, self._timed(getattr(mechanism, name)))

    def _timed(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            begin = self._clock.mark()
            result = inner(*arguments, **options)
            self._stretches.append((begin, self._clock.mark()))
            return result

        return timed
