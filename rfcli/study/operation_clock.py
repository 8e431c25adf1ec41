"""How much of the stage's time is the attention mechanism itself."""

import time
from collections.abc import Callable
from typing import Any

from torch import nn

from rfcli.model import RenderFormer


class OperationClock:
    """Adds up `seconds` inside the mechanisms of a model's view-independent stage, the making of a plan included.

    finished: returns once the device has done what it was asked; called before each reading.
    """

    def __init__(self, model: RenderFormer, finished: Callable[[], None]) -> None:
        self.seconds = 0.0
        self._finished = finished
        for attention in model.transformer.attentions():
            self._watch(attention.mechanism)

    def _watch(self, mechanism: nn.Module) -> None:
        for name in ("forward", "plan"):
            inner = getattr(mechanism, name, None)
            if inner is not None:
                setattr(mechanism, name, self._timed(inner))

    def _timed(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            self._finished()
            begun = time.perf_counter()
            result = inner(*arguments, **options)
            self._finished()
            self.seconds += time.perf_counter() - begun
            return result

        return timed
