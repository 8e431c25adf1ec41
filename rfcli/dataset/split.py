"""Which scenes a model never learns from: fixed for ever by the scene's number."""

VALIDATION_EVERY = 16


def is_validation(index: int) -> bool:
    """Whether scene `index` is held out: every sixteenth, from scene 0 on, so that the smallest dataset has one."""
    return index % VALIDATION_EVERY == 0
