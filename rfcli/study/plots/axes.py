"""Common parts of all figures: colours of curves, labels of counts, seconds and bytes, and round ticks.

The figures of matplotlib, of the HTML report and of the terminal use these. Importing this module is cheap.
"""

from math import ceil, floor, log10

# Okabe and Ito's palette, distinguishable with any colour vision. Softmax, the reference, comes first: black.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#aa4499", "#998822")

MIN_TICKS = 2  # an axis with fewer cannot be read
MIN_RELATIVE_RANGE = 1e-3  # of an axis


def count_label(triangles: float) -> str:
    """1,024 -> 1k, 1,000 -> 1,000."""
    count = round(triangles)
    return f"{count // 1024}k" if count % 1024 == 0 else f"{count:,}"


def seconds_label(seconds: float) -> str:
    """0.001 -> 1 ms, 1.5 -> 1.5 s, 1000 -> 1,000 s."""
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:,g} s"


def bytes_label(number: float) -> str:
    """1e6 -> 1 MB, 1e9 -> 1 GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:g} {unit}"
    return f"{number:g} B"


def round_values(low: float, high: float, maximum: int = 9) -> list[float]:
    """Ticks of a logarithmic axis: 1, 2 and 5 times powers of ten, so few that their labels do not touch.

    low, high: ends of the axis, 0 < low <= high. With more than `maximum` of these values, only 1 and 3 or only 1 times
    powers of ten; if the range is too narrow for two, steps of 1, 2 or 5 times a power of ten.
    """
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 2)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [float(f"{factor}e{power}") for power in powers for factor in factors]
        near = [value for value in values if low / 1.3 <= value <= high * 1.3]
        if len(near) <= maximum:
            break
    within = [value for value in near if low <= value <= high]
    return near if len(within) >= MIN_TICKS else _linear_steps(low, high, maximum)


def _linear_steps(low: float, high: float, maximum: int) -> list[float]:
    """Multiples of the smallest round step that has at most four, or half of `maximum`, in the range.

    If that leaves fewer than MIN_TICKS, the multiples of the step before.
    """
    if high < low * (1 + MIN_RELATIVE_RANGE):
        low, high = low / (1 + MIN_RELATIVE_RANGE), low * (1 + MIN_RELATIVE_RANGE)
    width, finer = high - low, [low]
    for power in range(floor(log10(width)) - 2, floor(log10(width)) + 2):
        for factor in (1, 2, 5):
            step = float(f"{factor}e{power}")
            first, last = ceil((low - width / 50) / step), floor((high + width / 50) / step)
            values = [float(f"{number * step:.12g}") for number in range(first, last + 1)]
            if len(values) <= max(2 * MIN_TICKS, maximum // 2):
                return values if len(values) >= MIN_TICKS else finer
            finer = values
    return finer
