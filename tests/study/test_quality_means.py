"""Means over scenes, against numbers worked out by hand."""

import pytest

from rfcli.study.quality import QualityRow
from rfcli.study.quality_means import means, scenes_label


def row(number: int, attention: str, psnr: float, seconds: float = 1.0, triangles: int = 1024) -> QualityRow:
    beside = None if attention == "sdpa" else {"psnr": 2 * psnr}
    return QualityRow("detailed", triangles, attention, "tiny", True, seconds, {"psnr": psnr}, beside, number)


def test_scores_and_seconds_are_means_over_scenes() -> None:
    rows = [row(0, "sdpa", 20, 1.0), row(1, "sdpa", 30, 2.0), row(0, "nearfar", 18, 0.5), row(1, "nearfar", 28, 0.25)]
    softmax, nearfar = means(rows)
    assert (softmax.attention, softmax.seconds, softmax.truth, softmax.softmax) == ("sdpa", 1.5, {"psnr": 25}, None)
    assert (nearfar.seconds, nearfar.truth, nearfar.softmax) == (0.375, {"psnr": 23}, {"psnr": 46})
    assert scenes_label([softmax, nearfar]) == "mean of 2 scenes"


def test_only_scenes_that_every_mechanism_drew_are_compared() -> None:
    rows = [row(0, "sdpa", 20), row(0, "nearfar", 18), row(1, "nearfar", 90), row(1, "nearfar", 10, triangles=2048)]
    found = {(one.triangles, one.attention): one.truth["psnr"] for one in means(rows)}
    assert found == {(1024, "sdpa"): 20, (1024, "nearfar"): 18, (2048, "nearfar"): 10}
    assert scenes_label(means(rows)) == "one scene"


@pytest.mark.parametrize(("numbers", "label"), [((0, 1, 2), "mean of 1 to 2 scenes"), ((0,), "one scene")])
def test_how_many_scenes_a_mean_is_of(numbers: tuple[int, ...], label: str) -> None:
    rows = [row(number, "sdpa", 20, triangles=1024 * (1 + (number == 2))) for number in numbers]
    assert scenes_label(means(rows)) == label
