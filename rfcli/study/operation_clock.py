"""How much of the stage's time is the attention mechanism itself."""

from collections.abc import Callable
from typing import Any

from torch import nn

from rfcli.model import RenderFormer
from rfcli.study.device_clock import DeviceClock, Mark


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
            inner = getattr(mechanism, name, None)
            if inner is not None:
                setattr(mechanism, name, self._timed(inner))

    def _timed(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            begin = self._clock.mark()
            result = inner(*arguments, **options)
            self._stretches.append((begin, self._clock.mark()))
            return result

        return timed
