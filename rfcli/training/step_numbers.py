"""Numbers of a step: losses and gradient norm, read from a GPU without stopping it."""

import math

import torch
from torch import Tensor

from rfcli.model import RenderFormer
from rfcli.training.batch import TrainingBatch


class StepNumbers:
    """Numbers of one step on their way to the CPU.

    A GPU works through its queue while the next step is being submitted. Reading a number at once would let the queue
    run empty. A copy to page-locked memory is one more piece of work in the queue, and has long been done when the next
    step needs it.

    Attributes:
        step: Index of the step.
        batch: Its scenes on this process.
        teacher: The softmax model, if the step is one of attention transfer.
        finite: Scalar bool on the device: whether all numbers are.

    Args:
        step: Index of the step.
        values: Scalars on the device, by name.
        batch: Scenes of the step.
        teacher: The softmax model, or None.
    """

    def __init__(
        self, step: int, values: dict[str, Tensor], batch: TrainingBatch, teacher: RenderFormer | None
    ) -> None:
        self.step, self.batch, self.teacher = step, batch, teacher
        self._names = list(values)
        numbers = torch.stack([value.detach().float() for value in values.values()])
        self.finite = torch.isfinite(numbers).all()
        self._copied: torch.cuda.Event | None = None
        self._numbers = numbers
        if numbers.device.type == "cuda":
            self._numbers = torch.empty(len(numbers), pin_memory=True)
            self._numbers.copy_(numbers, non_blocking=True)
            self._copied = torch.cuda.current_stream(numbers.device).record_event()

    def read(self) -> dict[str, float]:
        """The numbers by name; waits until they have arrived."""
        if self._copied is not None:
            self._copied.synchronize()
        return dict(zip(self._names, self._numbers.tolist(), strict=True))


def all_finite(numbers: dict[str, float]) -> bool:
    """Whether every number is finite."""
    return all(map(math.isfinite, numbers.values()))
