"""Of several processes with one command, which one speaks."""

import os


def is_first() -> bool:
    """Whether this is it, of those that torchrun or accelerate have started; so is one that was started alone."""
    return os.environ.get("RANK", "0") == "0"
