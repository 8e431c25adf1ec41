"""Training: options, data, losses, optimisers, and the loop that makes a model from a dataset.

Importing this package does not import torch.
"""

from typing import TYPE_CHECKING

from rfcli.runtime.lazy_imports import lazy_attributes
from rfcli.training.options import FinetuneOptions, TrainOptions
from rfcli.training.phases import Phase

if TYPE_CHECKING:
    from rfcli.training.callbacks import TrainingCallbacks
    from rfcli.training.initialise import new_model
    from rfcli.training.loop import Outcome, fit
    from rfcli.training.scenes import TrainingData, read_dataset
    from rfcli.training.validation import Validation, validate

__all__ = [
    "FinetuneOptions",
    "Outcome",
    "Phase",
    "TrainOptions",
    "TrainingCallbacks",
    "TrainingData",
    "Validation",
    "fit",
    "new_model",
    "read_dataset",
    "validate",
]

_MODULES = {
    "Outcome": "loop",
    "TrainingCallbacks": "callbacks",
    "TrainingData": "scenes",
    "Validation": "validation",
    "fit": "loop",
    "new_model": "initialise",
    "read_dataset": "scenes",
    "validate": "validation",
}


__getattr__ = lazy_attributes(__name__, _MODULES)
