"""How figures and tables write counts, seconds and bytes.

Round values for logarithmic axes, few enough that their labels do not touch.
"""

from math import ceil, floor, log10


def count_label(triangles: float) -> str:
    """1,024 -> 1k, 1,000 -> 1,000."""
    count = round(triangles)
    return f"{count // 1024}k" if count % 1024 == 0 else f"{count:,}"


def seconds_label(seconds: float) -> str:
    """0.001 -> 1 ms, 1.5 -> 1.5 s, 1000 -> 1,000 s."""
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:,g} s"


def three_digits(number: float) -> str:
    """0.12345 -> 0.123, 2345.6 -> 2,350: as many digits as a measurement is worth."""
    return f"{float(f'{number:.3g}'):,g}"


def bytes_label(number: float) -> str:
    """1e6 -> 1 MB, 1e9 -> 1 GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:g} {unit}"
    return f"{number:g} B"


NARROWEST = 1e-3  # of a range, as a part of its values
LEAST = 2  # values below which an axis cannot be read


def round_values(low: float, high: float, most: int = 9) -> list[float]:
    """1, 2 and 5 times powers of ten from low to high, or fewer of them where these are more than `most`; where the
    range is too narrow for two of them, steps of 1, 2 or 5 times a power of ten. 0 < low <= high.
    """
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 2)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [float(f"{factor}e{power}") for power in powers for factor in factors]
        inside = [value for value in values if low / 1.3 <= value <= high * 1.3]
        if len(inside) <= most:
            break
    within = [value for value in inside if low <= value <= high]
    return inside if len(within) >= LEAST else _steps(low, high, most)


def _steps(low: float, high: float, most: int) -> list[float]:
    """Multiples of the smallest round step of which a few lie in the range: four, or half of `most`; where that leaves
    but one, of the step before."""
    if high < low * (1 + NARROWEST):
        low, high = low / (1 + NARROWEST), low * (1 + NARROWEST)
    width, finer = high - low, [low]
    for power in range(floor(log10(width)) - 2, floor(log10(width)) + 2):
        for factor in (1, 2, 5):
            step = float(f"{factor}e{power}")
            first, last = ceil((low - width / 50) / step), floor((high + width / 50) / step)
            values = [float(f"{number * step:.12g}") for number in range(first, last + 1)]
            if len(values) <= max(2 * LEAST, most // 2):
                return values if len(values) >= LEAST else finer
            finer = values
    return finer
