"""matplotlib as every figure here wants it: without a window, and with the names of files as they are."""

from typing import Any


def pyplot() -> Any:
    """matplotlib.pyplot, which takes a second to import."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["text.parse_math"] = False  # names of files may hold a $
    from matplotlib import pyplot

    return pyplot
