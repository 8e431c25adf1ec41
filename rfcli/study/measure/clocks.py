"""Clocks: seconds of work on a device, and the share of it inside the attention mechanisms."""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn

from rfcli.model import RenderFormer
from rfcli.model.device import synchronize

Mark: TypeAlias = "float | torch.cuda.Event"


class DeviceClock:
    """Seconds of work on a device: on CUDA between events on its stream, elsewhere by the processor's clock.

    begin = clock.mark(); work(); clock.seconds(begin, clock.mark())
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def mark(self) -> Mark:
        """The current position in the device's work.

        CUDA reaches the mark later, and the processor does not wait for it. Other devices finish their work first.
        """
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self.device))
            return event
        synchronize(self.device)
        return time.perf_counter()

    def seconds(self, begin: Mark, end: Mark) -> float:
        """Seconds between two marks; waits until the device has reached them."""
        if isinstance(begin, float) or isinstance(end, float):
            assert isinstance(begin, float)
            assert isinstance(end, float)
            return end - begin
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000


class MechanismClock:
    """Seconds inside the mechanisms of a model's view-independent stage, including the making of a plan."""

    def __init__(self, model: RenderFormer, clock: DeviceClock) -> None:
        self._clock = clock
        self._calls: list[tuple[Mark, Mark]] = []
        for attention in model.transformer.attentions():
            self._wrap(attention.mechanism)

    def restart(self) -> None:
        """Count from 0 again."""
        self._calls.clear()

    def seconds(self) -> float:
        """Seconds since `restart`."""
        return sum(self._clock.seconds(begin, end) for begin, end in self._calls)

    def _wrap(self, mechanism: nn.Module) -> None:
        for name in ("forward", "plan"):
            setattr(mechanism, name, self._timed(getattr(mechanism, name)))

    def _timed(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            begin = self._clock.mark()
            result = inner(*arguments, **options)
            self._calls.append((begin, self._clock.mark()))
            return result

        return timed
