"""Image quality in a study: scores of each picture, and their means over the scenes of a series."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import ClassVar

from pydantic import ConfigDict

from rfcli.study.results.measurement import CHECKED, Count, FileName, Name, Scores, Seconds, Size

TRUTH = "truth"  # in the names of pictures, in place of a mechanism


@dataclass(frozen=True)
class _Scored:
    scene: FileName
    triangles: Count
    attention: FileName
    model: Name
    trained: bool
    seconds: Seconds
    truth: Scores
    softmax: Scores | None

    __pydantic_config__: ClassVar[ConfigDict] = CHECKED


@dataclass(frozen=True)
class QualityRow(_Scored):
    """Seconds and scores of one picture.

    Scores are psnr (dB), ssim, flip and, if its backbone is installed, lpips.

    Attributes:
        scene: Name of the series of scenes.
        triangles: Triangle count.
        attention: The mechanism.
        model: Name of the model that rendered the picture.
        trained: Whether the model's weights fit the mechanism; see `QualityModel`.
        seconds: Wall time of the whole render, both stages.
        truth: Scores against the path-traced image.
        softmax: Scores against softmax attention's picture; None for softmax itself and if there is no such picture.
        number: Index of the scene in the series, from 0.
    """

    number: Size = 0


@dataclass(frozen=True)
class QualityMean(_Scored):
    """Means over the pictures of several scenes of a series.

    Attributes:
        scenes: Number of scenes. All other attributes: see `QualityRow`.
    """

    scenes: int


def picture_path(folder: Path, scene: str, triangles: int, attention: str, number: int = 0) -> Path:
    """File of the picture of scene `number` of a series by a mechanism, or of its path-traced image (TRUTH)."""
    return folder / f"{scene}-{triangles}-{number}-{attention}.exr"


def scene_means(rows: Sequence[QualityRow]) -> list[QualityMean]:
    """Means over the scenes of each series, for every triangle count and mechanism.

    All means of a series are over the same scenes, so that they can be compared: over as many scenes as at least half
    of its points have. Points that lack one of these scenes are left out.

    Args:
        rows: Scores of pictures.

    Returns:
        The means, in the order of the rows.
    """
    points: dict[tuple[str, int, str], dict[int, QualityRow]] = {}
    for row in rows:
        points.setdefault((row.scene, row.triangles, row.attention), {})[row.number] = row
    shared = {
        scene: _shared_scenes([rows_of for key, rows_of in points.items() if key[0] == scene]) for scene, _, _ in points
    }
    return [
        _mean([rows_of[number] for number in sorted(shared[scene])])
        for (scene, _, _), rows_of in points.items()
        if shared[scene] <= rows_of.keys()
    ]


def scenes_label(rows: Sequence[QualityMean]) -> str:
    """How many scenes the means are over: "mean of 4 scenes", "one scene"."""
    low, high = min(row.scenes for row in rows), max(row.scenes for row in rows)
    if high == 1:
        return "one scene"
    return f"mean of {high} scenes" if low == high else f"mean of {low} to {high} scenes"


def _shared_scenes(points: list[dict[int, QualityRow]]) -> frozenset[int]:
    """The largest set of scenes that half of the points have; if none does, the set that the most points have."""
    counts = {scenes: sum(scenes <= rows.keys() for rows in points) for scenes in dict.fromkeys(map(frozenset, points))}
    enough = min(len(points) / 2, max(counts.values()))
    return max((scenes for scenes, count in counts.items() if count >= enough), key=len)


def _mean(rows: list[QualityRow]) -> QualityMean:
    first = rows[0]
    against_softmax = [row.softmax for row in rows if row.softmax is not None]
    return QualityMean(
        first.scene,
        first.triangles,
        first.attention,
        first.model,
        first.trained,
        fmean(row.seconds for row in rows),
        _mean_scores([row.truth for row in rows]),
        _mean_scores(against_softmax) if len(against_softmax) == len(rows) else None,
        len(rows),
    )


def _mean_scores(scores: list[dict[str, float]]) -> dict[str, float]:
    common = [name for name in scores[0] if all(name in score for score in scores)]  # lpips may be in some only
    return {name: fmean(score[name] for score in scores) for name in common}
