"""matplotlib without a window, for every figure that is written to a file."""

from typing import Any


def pyplot() -> Any:
    """The module matplotlib.pyplot, imported here because that takes a second."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["text.parse_math"] = False  # file names may contain a $
    from matplotlib import pyplot

    return pyplot
