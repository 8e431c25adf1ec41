"""The learning rate over a run: linear warm-up, then a cosine down to a hundredth."""

import math

from rfcli.errors import InputError

FLOOR = 0.01


def learning_rate(step: int, steps: int, warmup: int, peak: float) -> float:
    """Rate of step 0 <= step < steps. Raises InputError where the warm-up is not shorter than the run."""
    if not 0 <= warmup < steps:
        raise InputError(f"--warmup {warmup} must be shorter than the run of {steps} steps.")
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return peak * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * progress)) / 2)
