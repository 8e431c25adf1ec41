"""Means of scores over scenes, compared with numbers worked out by hand."""

import dataclasses

import pytest

from rfcli.study.results import QualityRow, scene_means
from rfcli.study.results.quality import scenes_label


def row(number: int, attention: str, psnr: float, seconds: float = 1.0, triangles: int = 1024) -> QualityRow:
    softmax = None if attention == "sdpa" else {"psnr": 2 * psnr}
    return QualityRow("detailed", triangles, attention, "tiny", True, seconds, {"psnr": psnr}, softmax, number)


def test_scores_and_seconds_are_means_over_scenes() -> None:
    rows = [row(0, "sdpa", 20, 1.0), row(1, "sdpa", 30, 2.0), row(0, "nearfar", 18, 0.5), row(1, "nearfar", 28, 0.25)]
    softmax, nearfar = scene_means(rows)
    assert (softmax.attention, softmax.seconds, softmax.truth, softmax.softmax) == ("sdpa", 1.5, {"psnr": 25}, None)
    assert (nearfar.seconds, nearfar.truth, nearfar.softmax) == (0.375, {"psnr": 23}, {"psnr": 46})
    assert scenes_label([softmax, nearfar]) == "mean of 2 scenes"


def test_all_means_of_a_series_are_over_the_same_scenes() -> None:
    rows = [row(0, "sdpa", 20), row(0, "nearfar", 18), row(1, "nearfar", 90), row(1, "nearfar", 10, triangles=2048)]
    found = {(one.triangles, one.attention): one.truth["psnr"] for one in scene_means(rows)}
    assert found == {(1024, "sdpa"): 20, (1024, "nearfar"): 18}
    assert scenes_label(scene_means(rows)) == "one scene"


def test_point_that_lacks_most_scenes_has_no_mean() -> None:
    """The first of four scenes is easy: a curve that ended with it alone would rise."""
    psnr = {0: 28, 1: 20, 2: 21, 3: 23}
    rows = [row(n, "sdpa", psnr[n], triangles=count) for count in (1024, 2048, 4096) for n in psnr]
    rows += [row(n, "nearfar", psnr[n], triangles=count) for count in (1024, 2048, 4096) for n in psnr]
    rows += [row(0, "nearfar", psnr[0], triangles=8192)]
    found = scene_means(rows)
    assert [(one.attention, one.triangles) for one in found] == [
        (attention, count) for attention in ("sdpa", "nearfar") for count in (1024, 2048, 4096)
    ]
    assert {one.truth["psnr"] for one in found} == {23}
    assert scenes_label(found) == "mean of 4 scenes"


def test_means_of_an_incomplete_study_are_over_the_scenes_that_most_points_have() -> None:
    counts = (1024, 2048, 4096)
    rows = [row(0, "sdpa", 20, triangles=count) for count in counts] + [row(1, "sdpa", 30)]
    assert [(one.triangles, one.truth["psnr"], one.scenes) for one in scene_means(rows)] == [(n, 20, 1) for n in counts]
    rows += [row(1, "sdpa", 30, triangles=2048)]
    means = [(one.triangles, one.truth["psnr"], one.scenes) for one in scene_means(rows)]
    assert means == [(1024, 25, 2), (2048, 25, 2)]


@pytest.mark.parametrize(("numbers", "label"), [((0, 1), "mean of 1 to 2 scenes"), ((0,), "one scene")])
def test_label_says_how_many_scenes_the_means_are_over(numbers: tuple[int, ...], label: str) -> None:
    rows = [row(number, "sdpa", 20) for number in numbers]
    rows += [dataclasses.replace(row(0, "sdpa", 20), scene="tessellated")]
    assert scenes_label(scene_means(rows)) == label
