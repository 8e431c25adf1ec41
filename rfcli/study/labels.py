"""How figures and tables write counts, seconds and bytes."""


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
