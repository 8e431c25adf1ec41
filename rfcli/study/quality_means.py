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
    """In the order of the rows. All points of a series, a count and a mechanism each, are means over the same scenes,
    so that they compare: over as many as half of the points drew. A point that lacks one of them has no mean."""
    points: dict[tuple[str, int, str], dict[int, QualityRow]] = {}
    for row in rows:
        points.setdefault((row.scene, row.triangles, row.attention), {})[row.number] = row
    shared = {scene: _shared([drawn for key, drawn in points.items() if key[0] == scene]) for scene, _, _ in points}
    return [
        _mean([drawn[number] for number in sorted(shared[scene])])
        for (scene, _, _), drawn in points.items()
        if shared[scene] <= drawn.keys()
    ]


def _shared(points: list[dict[int, QualityRow]]) -> frozenset[int]:
    """The most scenes of one point that half of the points drew; if none did, those that the most points drew."""
    drew = {one: sum(one <= drawn.keys() for drawn in points) for one in dict.fromkeys(map(frozenset, points))}
    enough = min(len(points) / 2, max(drew.values()))
    return max((one for one, many in drew.items() if many >= enough), key=len)


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
