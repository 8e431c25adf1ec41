"""Pictures by each mechanism, scored; scenes and models small enough to be drawn in milliseconds.

Means over scenes, against numbers worked out by hand.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import RenderFormer, convert, save_checkpoint
from rfcli.pictures.images import read_exr, write_exr
from rfcli.scene import TriangleScene
from rfcli.study import quality
from rfcli.study.measure.point import SMALL as SMALL_SCENE
from rfcli.study.quality import (
    QualityModel,
    QualityRow,
    drawn,
    means,
    measure_quality,
    picture_path,
    quality_models,
    scenes_label,
)
from rfcli.study.results.files import write_quality_csv
from rfcli.study.scenes.series import SceneSeries
from tests.support.small_study import SMALL

RESOLUTION = 16


@pytest.fixture(scope="module")
def softmax() -> RenderFormer:
    torch.manual_seed(0)
    return RenderFormer(dataclasses.replace(SMALL, use_dpt_decoder=False)).eval()


@pytest.fixture(scope="module")
def folder(softmax: RenderFormer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("softmax")
    save_checkpoint(softmax, folder, "random")
    return folder


def scene_at(count: int) -> tuple[TriangleScene, np.ndarray]:
    rng = np.random.default_rng(count)
    corners = rng.uniform(-0.4, 0.4, (count, 1, 3)) + rng.uniform(-0.1, 0.1, (count, 3, 3))
    material = np.tile([0.5, 0.4, 0.3, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 1.0, 0, 0, 0], (count, 1))
    material[0, 10:] = 100.0
    c2w = np.eye(4)[None].copy()
    c2w[0, 2, 3] = 1.8
    normals = np.tile([0.0, 0.0, 1.0], (count, 3, 1))
    truth = np.random.default_rng(1).uniform(0, 1, (RESOLUTION, RESOLUTION, 3)).astype(np.float32)
    return TriangleScene(corners, normals, material, c2w, np.array([40.0])), truth


SERIES = [SceneSeries("heap", scene_at)]


@pytest.fixture(autouse=True)
def _cheap_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSIM needs pictures larger than these; the metrics have tests of their own."""

    class Found:
        def __init__(self, image: np.ndarray, reference: np.ndarray) -> None:
            self.error = float(np.abs(image - reference).mean())

        def as_dict(self) -> dict[str, float]:
            return {"psnr": -self.error, "flip": self.error}

    monkeypatch.setattr(quality, "score", lambda image, reference: (Found(image, reference), None))


def models(softmax: RenderFormer, *attentions: str) -> dict[str, QualityModel]:
    return {name: QualityModel("small", convert(softmax, name), name == "sdpa") for name in attentions}


def test_every_mechanism_is_scored_against_truth_and_softmax(softmax: RenderFormer, tmp_path: Path) -> None:
    found = list(measure_quality(models(softmax, "performer", "sdpa"), SERIES, [24, 32], 1e9, tmp_path))
    assert [(row.triangles, row.attention) for row in found] == [
        (24, "sdpa"),
        (24, "performer"),
        (32, "sdpa"),
        (32, "performer"),
    ]
    for row in found:
        image, truth = (
            read_exr(picture_path(tmp_path, "heap", row.triangles, who)) for who in (row.attention, "truth")
        )
        assert row.truth["flip"] == pytest.approx(float(np.abs(image - truth).mean()), rel=1e-5)
        assert (row.softmax is None) == (row.attention == "sdpa")
        assert row.trained == (row.attention == "sdpa")
        assert row.seconds > 0
    performer = found[1]
    pictures = [read_exr(picture_path(tmp_path, "heap", 24, who)) for who in ("performer", "sdpa")]
    assert performer.softmax is not None
    assert performer.softmax["flip"] == pytest.approx(float(np.abs(pictures[0] - pictures[1]).mean()), rel=1e-4)
    assert performer.softmax["flip"] > 0


def test_finished_rows_are_not_drawn_again(softmax: RenderFormer, tmp_path: Path) -> None:
    both = models(softmax, "sdpa", "performer")
    first = list(measure_quality(both, SERIES, [24], 1e9, tmp_path))
    asked: list[int] = []

    def watched(count: int) -> tuple[TriangleScene, np.ndarray]:
        asked.append(count)
        return scene_at(count)

    assert list(measure_quality(both, [SceneSeries("heap", watched)], [24], 1e9, tmp_path, first)) == []
    assert asked == []
    rest = list(measure_quality(both, [SceneSeries("heap", watched)], [24], 1e9, tmp_path, first[:1]))
    assert [row.attention for row in rest] == ["performer"]
    assert rest[0].softmax is not None


def test_what_is_not_foreseen_to_fit_is_left_out(softmax: RenderFormer, tmp_path: Path) -> None:
    slow = QualityRow("heap", 24, "sdpa", "small", True, 50.0, {"psnr": 1.0}, None)
    write_exr(picture_path(tmp_path, "heap", 24, "sdpa"), scene_at(24)[1])
    found = list(measure_quality(models(softmax, "sdpa", "performer"), SERIES, [24, 64], 100.0, tmp_path, [slow]))
    assert [(row.triangles, row.attention) for row in found] == [(24, "performer"), (64, "performer")]
    assert found[0].softmax is not None
    assert found[1].softmax is None  # there is nothing to compare with
    assert list(measure_quality(models(softmax, "sdpa"), SERIES, [24], 0.0, tmp_path)) == []


def test_a_scene_whose_truth_is_not_foreseen_to_fit_is_left_out(softmax: RenderFormer, tmp_path: Path) -> None:
    now = [0.0]

    def slow_scene_at(count: int) -> tuple[TriangleScene, np.ndarray]:
        now[0] += count  # a second a triangle
        return scene_at(count)

    slow = [SceneSeries("heap", slow_scene_at)]
    found = list(measure_quality(models(softmax, "sdpa"), slow, [24, 48, 96], 150.0, tmp_path, clock=lambda: now[0]))
    # 24 s of 150, 48 s of 126, but not 96 s of 78
    assert [row.triangles for row in found] == [24, 48]
    assert now[0] <= 150.0


def test_the_first_picture_of_a_model_comes_after_a_warm_up_that_is_not_counted(
    softmax: RenderFormer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_triangles: list[int] = []
    inner = quality.render_views

    def watched(model, batch, *rest):  # type: ignore[no-untyped-def]
        drawn_triangles.append(batch.triangles.shape[1])
        image, _, _ = next(inner(model, batch, *rest))
        return iter([(image, 5.0, 5.0)])  # long enough not to be repeated

    monkeypatch.setattr(quality, "render_views", watched)
    found = list(measure_quality(models(softmax, "sdpa", "performer"), SERIES, [24, 32], 1e9, tmp_path))
    assert drawn_triangles == [SMALL_SCENE, 24, SMALL_SCENE, 24, 32, 32]
    assert [row.seconds for row in found] == [10.0] * 4


def test_a_short_render_is_repeated_and_the_first_is_not_counted(
    softmax: RenderFormer, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.9, 0.3, 0.1, 0.2])
    image = torch.zeros(1, 1, RESOLUTION, RESOLUTION, 3)
    monkeypatch.setattr(quality, "render_views", lambda *_: iter([(image, next(times), 0.0)]))
    assert drawn(softmax, scene_at(4)[0], RESOLUTION)[1] == 0.2
    times = iter([7.0])
    assert drawn(softmax, scene_at(4)[0], RESOLUTION)[1] == 7.0


def test_softmax_weights_run_nearfar_but_performer_is_an_untrained_swap(folder: Path) -> None:
    found = quality_models(str(folder), (), ("sdpa", "nearfar", "performer", "hedgehog"), 7, "cpu")
    assert [model.trained for model in found.values()] == [True, True, False, False]
    assert [model.model.config.attention for model in found.values()] == list(found)
    assert found["nearfar"].model.config.attention_options == {"keys": 7}
    weights = [model.model.state_dict()["tri_token"] for model in found.values()]
    assert all(torch.equal(weights[0], other) for other in weights)
    assert len({other.data_ptr() for other in weights}) == 1  # four mechanisms take the memory of one model


def test_a_twin_draws_for_the_mechanism_that_it_was_trained_with(
    folder: Path, softmax: RenderFormer, tmp_path: Path
) -> None:
    twin = convert(softmax, "performer")
    with torch.no_grad():
        twin.tri_token += 1
    save_checkpoint(twin, tmp_path, "trained")
    found = quality_models(str(folder), (str(tmp_path),), ("sdpa", "performer"), None, "cpu")
    assert (found["performer"].name, found["performer"].trained) == (str(tmp_path), True)
    assert torch.equal(found["performer"].model.tri_token, twin.tri_token)
    assert torch.equal(found["sdpa"].model.tri_token, softmax.tri_token)
    with pytest.raises(InputError, match=r"--twins .*performer, which is not studied"):
        quality_models(str(folder), (str(tmp_path),), ("sdpa",), None, "cpu")
    # softmax from a performer's weights is as untrained as the other way round
    assert not quality_models(str(tmp_path), (), ("sdpa",), None, "cpu")["sdpa"].trained


def test_scores_become_columns(tmp_path: Path) -> None:
    rows = [
        QualityRow("heap", 24, "sdpa", "small", True, 0.5, {"psnr": 20.0}, None),
        QualityRow("heap", 24, "nearfar", "small", True, 0.25, {"psnr": 19.0}, {"psnr": 40.0}),
    ]
    write_quality_csv(tmp_path / "q.csv", rows)
    assert (tmp_path / "q.csv").read_text().splitlines() == [
        "scene,number,triangles,attention,model,trained,seconds,truth_psnr,softmax_psnr",
        "heap,0,24,sdpa,small,True,0.5,20.0,",
        "heap,0,24,nearfar,small,True,0.25,19.0,40.0",
    ]


def row(number: int, attention: str, psnr: float, seconds: float = 1.0, triangles: int = 1024) -> QualityRow:
    beside = None if attention == "sdpa" else {"psnr": 2 * psnr}
    return QualityRow("detailed", triangles, attention, "tiny", True, seconds, {"psnr": psnr}, beside, number)


def test_scores_and_seconds_are_means_over_scenes() -> None:
    rows = [row(0, "sdpa", 20, 1.0), row(1, "sdpa", 30, 2.0), row(0, "nearfar", 18, 0.5), row(1, "nearfar", 28, 0.25)]
    softmax, nearfar = means(rows)
    assert (softmax.attention, softmax.seconds, softmax.truth, softmax.softmax) == ("sdpa", 1.5, {"psnr": 25}, None)
    assert (nearfar.seconds, nearfar.truth, nearfar.softmax) == (0.375, {"psnr": 23}, {"psnr": 46})
    assert scenes_label([softmax, nearfar]) == "mean of 2 scenes"


def test_all_points_of_a_series_are_means_over_the_same_scenes() -> None:
    rows = [row(0, "sdpa", 20), row(0, "nearfar", 18), row(1, "nearfar", 90), row(1, "nearfar", 10, triangles=2048)]
    found = {(one.triangles, one.attention): one.truth["psnr"] for one in means(rows)}
    assert found == {(1024, "sdpa"): 20, (1024, "nearfar"): 18}
    assert scenes_label(means(rows)) == "one scene"


def test_a_count_for_most_of_whose_scenes_time_was_too_short_is_not_a_mean_of_the_others() -> None:
    """Of four scenes the first is easy; a curve that ends with it alone would rise."""
    psnr = {0: 28, 1: 20, 2: 21, 3: 23}
    rows = [row(n, "sdpa", psnr[n], triangles=count) for count in (1024, 2048, 4096) for n in psnr]
    rows += [row(n, "nearfar", psnr[n], triangles=count) for count in (1024, 2048, 4096) for n in psnr]
    rows += [row(0, "nearfar", psnr[0], triangles=8192)]
    found = means(rows)
    assert [(one.attention, one.triangles) for one in found] == [
        (attention, count) for attention in ("sdpa", "nearfar") for count in (1024, 2048, 4096)
    ]
    assert {one.truth["psnr"] for one in found} == {23}
    assert scenes_label(found) == "mean of 4 scenes"


def test_a_study_that_was_stopped_early_shows_the_scenes_that_most_points_have() -> None:
    counts = (1024, 2048, 4096)
    rows = [row(0, "sdpa", 20, triangles=count) for count in counts] + [row(1, "sdpa", 30)]
    assert [(one.triangles, one.truth["psnr"], one.scenes) for one in means(rows)] == [(n, 20, 1) for n in counts]
    rows += [row(1, "sdpa", 30, triangles=2048)]
    assert [(one.triangles, one.truth["psnr"], one.scenes) for one in means(rows)] == [(1024, 25, 2), (2048, 25, 2)]


@pytest.mark.parametrize(("numbers", "label"), [((0, 1), "mean of 1 to 2 scenes"), ((0,), "one scene")])
def test_how_many_scenes_a_mean_is_of(numbers: tuple[int, ...], label: str) -> None:
    rows = [row(number, "sdpa", 20) for number in numbers]
    rows += [dataclasses.replace(row(0, "sdpa", 20), scene="tessellated")]
    assert scenes_label(means(rows)) == label
