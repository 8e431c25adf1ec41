"""How many times as fast as softmax the others are, where it counts most: at the largest triangle count."""

from collections.abc import Sequence

from rfcli.study.labels import three_digits
from rfcli.study.results import Row

SOFTMAX = "sdpa"


def speedups(table: Sequence[Row]) -> tuple[int, dict[str, float]] | None:
    """The largest triangle count at which softmax and others were measured, and softmax's seconds over those of each
    of the others there; None where no count has both. What was extrapolated is not asked."""
    seconds = {(row.triangles, row.attention): row.seconds for row in table if row.measured and row.seconds}
    for count in sorted({triangles for triangles, _ in seconds}, reverse=True):
        softmax = seconds.get((count, SOFTMAX))
        others = {name: taken for (triangles, name), taken in seconds.items() if triangles == count and name != SOFTMAX}
        if softmax and others:
            return count, {name: softmax / taken for name, taken in others.items()}
    return None


def speedup_sentences(stage: Sequence[Row], renders: Sequence[Row]) -> list[str]:
    """One of the stage and one of whole renders, where there is something to say."""
    sentences = []
    for what, table in (("the stage", stage), ("the whole render", renders)):
        found = speedups(table)
        if found is not None:
            count, factors = found
            each = ", ".join(f"{name} {three_digits(factor)}" for name, factor in factors.items())
            sentences.append(f"{what} at {count:,} triangles, times as fast as with softmax: {each}")
    return sentences
