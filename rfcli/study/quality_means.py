"""What figures and tables show of the pictures: means over the scenes of a series."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from rfcli.study.quality import Judged, QualityRow


@dataclass(frozen=True)
class QualityMean(Judged):
    """Means over the pictures of `scenes` scenes of the series."""

    scenes: int


def means(rows: Sequence[QualityRow]) -> list[QualityMean]:
    """In the order of the rows. At each count only scenes that all mechanisms drew that drew any there, so that they
    compare."""
    out = []
    for scene, triangles in dict.fromkeys((row.scene, row.triangles) for row in rows):
        here = [row for row in rows if (row.scene, row.triangles) == (scene, triangles)]
        names = dict.fromkeys(row.attention for row in here)
        drawn = {name: {row.number for row in here if row.attention == name} for name in names}
        common = set.intersection(*drawn.values())
        for name in names:
            chosen = [row for row in here if row.attention == name and row.number in common]
            if chosen:
                out.append(_mean(chosen))
    return out


def scenes_label(rows: Sequence[QualityMean]) -> str:
    """Of how many scenes each of them is a mean: "mean of 4 scenes", "one scene"."""
    low, high = min(row.scenes for row in rows), max(row.scenes for row in rows)
    if high == 1:
        return "one scene"
    return f"mean of {high} scenes" if low == high else f"mean of {low} to {high} scenes"


def _mean(rows: list[QualityRow]) -> QualityMean:
    first = rows[0]
    beside = [row.softmax for row in rows if row.softmax is not None]
    return QualityMean(
        first.scene,
        first.triangles,
        first.attention,
        first.model,
        first.trained,
        fmean(row.seconds for row in rows),
        _mean_scores([row.truth for row in rows]),
        _mean_scores(beside) if len(beside) == len(rows) else None,
        len(rows),
    )


def _mean_scores(scores: list[dict[str, float]]) -> dict[str, float]:
    common = [name for name in scores[0] if all(name in score for score in scores)]  # lpips may have come later
    return {name: fmean(score[name] for score in scores) for name in common}
