"""Training callbacks: how the progress of a run is reported."""

from collections.abc import Sequence
from typing import Protocol

from rfcli.training.validation import ImagePair, Validation


class TrainingCallbacks(Protocol):
    """Receives the progress of a run, in the first of its processes; see `fit`."""

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        """Called after each step.

        Args:
            step: Number of steps done.
            losses: The result of `Run.step`.
        """

    def on_validation(self, step: int, validation: Validation, images: Sequence[ImagePair]) -> None:
        """Called after each validation, before the training state is saved.

        Args:
            step: Number of steps done.
            validation: Quality of the averaged model.
            images: Truth and prediction of some held-out views.
        """

    def on_warning(self, message: str) -> None:
        """Called when something is wrong that does not end the run.

        Args:
            message: One sentence.
        """


class CallbackList:
    """Several callbacks, called one after another."""

    def __init__(self, *callbacks: TrainingCallbacks) -> None:
        self.callbacks = callbacks

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        for callback in self.callbacks:
            callback.on_step(step, losses)

    def on_validation(self, step: int, validation: Validation, images: Sequence[ImagePair]) -> None:
        for callback in self.callbacks:
            callback.on_validation(step, validation, images)

    def on_warning(self, message: str) -> None:
        for callback in self.callbacks:
            callback.on_warning(message)
