"""Seconds of whole renders: as measured, and where they were not, from the stage's and those that were.

All layers of the stage are alike, and the view-dependent stage is the same for every mechanism and linear in N. So

    render(N) = r stage(N) + a + b N

stage: seconds of the layers that the study runs at that count, measured or by their fit. r: how many times longer the
whole model's stage takes, at counts where both were measured, of each mechanism. a, b: of the view-dependent stage, of
all mechanisms together.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rfcli.study import fits
from rfcli.study.measurement import Measurement
from rfcli.study.results import Row, measured_row, of_one

LEAST_COUNTS = 2  # of whole renders, for a line


def render_rows(
    stage: Sequence[Measurement],
    renders: Sequence[Measurement],
    attentions: Sequence[str],
    counts: Sequence[int],
    seed: int,
) -> list[Row]:
    """A row for every mechanism and count, in that order, of seconds and memory of whole renders.

    stage, renders: what was measured of both. Where nothing can be said, because a mechanism has no render and stage
    in common or there are renders of one count only, seconds are None.
    """
    known = {(point.attention, point.triangles): point for point in renders}
    line = _view_lines(renders, seed)
    out = []
    for name in attentions:
        stages = {point.triangles: point for point in of_one(stage, name)}
        ratios = _ratios([known[name, count] for count in stages if (name, count) in known], stages, seed)
        for count in counts:
            if (name, count) in known:
                out.append(measured_row(known[name, count], seed))
            elif line is None or ratios is None or (count not in stages and len(stages) < LEAST_COUNTS):
                out.append(Row(name, count, None, None, None, None, False, 0))
            else:
                draws = ratios * _stage_seconds(list(stages.values()), count, seed) + line @ [1.0, count, 0.0]
                low, high = fits.interval(draws[1:])
                out.append(Row(name, count, float(draws[0]), low, high, None, False, 0))
    return out


def _medians(points: Sequence[Measurement], seed: int) -> fits.Floats:
    """[1 + DRAWS, points] medians of the runs, first of those that were, then of runs drawn again."""
    return np.concatenate([[[point.typical for point in points]], fits.resampled_medians(points, seed)])


def _view_lines(renders: Sequence[Measurement], seed: int) -> fits.Floats | None:
    """[1 + DRAWS, 3] a, b and 0 of the view-dependent stage; None where renders of one count only are known."""
    points = [replace(point, seconds=point.view) for point in renders if point.view]
    if len({point.triangles for point in points}) < LEAST_COUNTS:
        return None
    counts = [point.triangles for point in points]
    return np.stack([fits.polynomial(counts, medians, degree=1) for medians in _medians(points, seed)])


def _ratios(renders: Sequence[Measurement], stages: dict[int, Measurement], seed: int) -> fits.Floats | None:
    """[1 + DRAWS] how many times longer the whole model's stage takes; None where no count has both."""
    if not renders:
        return None
    whole = [
        replace(
            point, seconds=tuple(all_of_it - view for all_of_it, view in zip(point.seconds, point.view, strict=True))
        )
        for point in renders
    ]
    part = [stages[point.triangles] for point in renders]
    ratios: fits.Floats = np.median(_medians(whole, seed + 1) / _medians(part, seed), axis=1)
    return ratios


def _stage_seconds(stages: Sequence[Measurement], count: int, seed: int) -> fits.Floats:
    """[1 + DRAWS] of the layers that the study runs, measured or by their fit."""
    medians, counts = _medians(stages, seed), [point.triangles for point in stages]
    if count in counts:
        return medians[:, counts.index(count)]
    return np.array([fits.evaluate(fits.polynomial(counts, one), count) for one in medians])
