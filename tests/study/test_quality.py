"""Pictures of each mechanism and their scores, with scenes and models that render in milliseconds."""

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
from rfcli.study.measure.point import WARM_UP_TRIANGLES
from rfcli.study.quality import QualityModel, measure_quality, quality_models, timed_picture
from rfcli.study.results.quality import QualityRow, picture_path
from rfcli.study.scenes import SceneSeries
from tests.support.small_model import SMALL

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
def _fast_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSIM needs larger pictures than these; the metrics have their own tests."""

    class FastScores:
        def __init__(self, image: np.ndarray, reference: np.ndarray) -> None:
            self.error = float(np.abs(image - reference).mean())

        def as_dict(self) -> dict[str, float]:
            return {"psnr": -self.error, "flip": self.error}

    monkeypatch.setattr(quality, "score", lambda image, reference: (FastScores(image, reference), None))


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


def test_finished_pictures_are_not_rendered_again(softmax: RenderFormer, tmp_path: Path) -> None:
    both = models(softmax, "sdpa", "performer")
    first = list(measure_quality(both, SERIES, [24], 1e9, tmp_path))
    requested: list[int] = []

    def recorded(count: int) -> tuple[TriangleScene, np.ndarray]:
        requested.append(count)
        return scene_at(count)

    assert list(measure_quality(both, [SceneSeries("heap", recorded)], [24], 1e9, tmp_path, first)) == []
    assert requested == []
    rest = list(measure_quality(both, [SceneSeries("heap", recorded)], [24], 1e9, tmp_path, first[:1]))
    assert [row.attention for row in rest] == ["performer"]
    assert rest[0].softmax is not None


def test_pictures_that_are_not_predicted_to_fit_are_left_out(softmax: RenderFormer, tmp_path: Path) -> None:
    slow = QualityRow("heap", 24, "sdpa", "small", True, 50.0, {"psnr": 1.0}, None)
    write_exr(picture_path(tmp_path, "heap", 24, "sdpa"), scene_at(24)[1])
    found = list(measure_quality(models(softmax, "sdpa", "performer"), SERIES, [24, 64], 100.0, tmp_path, [slow]))
    assert [(row.triangles, row.attention) for row in found] == [(24, "performer"), (64, "performer")]
    assert found[0].softmax is not None
    assert found[1].softmax is None  # softmax has no picture
    assert list(measure_quality(models(softmax, "sdpa"), SERIES, [24], 0.0, tmp_path)) == []


def test_scenes_whose_truth_is_not_predicted_to_fit_are_left_out(softmax: RenderFormer, tmp_path: Path) -> None:
    now = [0.0]

    def slow_scene_at(count: int) -> tuple[TriangleScene, np.ndarray]:
        now[0] += count  # a second a triangle
        return scene_at(count)

    slow = [SceneSeries("heap", slow_scene_at)]
    found = list(measure_quality(models(softmax, "sdpa"), slow, [24, 48, 96], 150.0, tmp_path, clock=lambda: now[0]))
    # 24 s of 150, 48 s of 126, but not 96 s of 78
    assert [row.triangles for row in found] == [24, 48]
    assert now[0] <= 150.0


def test_first_picture_of_a_model_has_an_untimed_warm_up(
    softmax: RenderFormer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []
    inner = quality.render_views

    def recorded(model, batch, *rest):  # type: ignore[no-untyped-def]
        rendered.append(batch.triangles.shape[1])
        image, _, _ = next(inner(model, batch, *rest))
        return iter([(image, 5.0, 5.0)])  # long enough not to be repeated

    monkeypatch.setattr(quality, "render_views", recorded)
    found = list(measure_quality(models(softmax, "sdpa", "performer"), SERIES, [24, 32], 1e9, tmp_path))
    assert rendered == [WARM_UP_TRIANGLES, 24, WARM_UP_TRIANGLES, 24, 32, 32]
    assert [row.seconds for row in found] == [10.0] * 4


def test_short_render_is_repeated_and_the_first_is_not_counted(
    softmax: RenderFormer, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.9, 0.3, 0.1, 0.2])
    image = torch.zeros(1, 1, RESOLUTION, RESOLUTION, 3)
    monkeypatch.setattr(quality, "render_views", lambda *_: iter([(image, next(times), 0.0)]))
    assert timed_picture(softmax, scene_at(4)[0], RESOLUTION)[1] == 0.2
    times = iter([7.0])
    assert timed_picture(softmax, scene_at(4)[0], RESOLUTION)[1] == 7.0


def test_softmax_weights_fit_nearfar_but_not_performer(folder: Path) -> None:
    found = quality_models(
        str(folder), (), ("sdpa", "nearfar", "performer", "hedgehog"), {"nearfar": {"keys": 7}}, "cpu"
    )
    assert [model.trained for model in found.values()] == [True, True, False, False]
    assert [model.model.config.attention for model in found.values()] == list(found)
    assert found["nearfar"].model.config.attention_options == {"keys": 7}
    weights = [model.model.state_dict()["tri_token"] for model in found.values()]
    assert all(torch.equal(weights[0], other) for other in weights)
    assert len({other.data_ptr() for other in weights}) == 1  # four mechanisms use the memory of one model


def test_twin_renders_the_pictures_of_its_mechanism(folder: Path, softmax: RenderFormer, tmp_path: Path) -> None:
    twin = convert(softmax, "performer")
    with torch.no_grad():
        twin.tri_token += 1
    save_checkpoint(twin, tmp_path, "trained")
    found = quality_models(str(folder), (str(tmp_path),), ("sdpa", "performer"), {}, "cpu")
    assert (found["performer"].name, found["performer"].trained) == (str(tmp_path), True)
    assert torch.equal(found["performer"].model.tri_token, twin.tri_token)
    assert torch.equal(found["sdpa"].model.tri_token, softmax.tri_token)
    with pytest.raises(InputError, match=r"`twins` .*performer, which is not studied"):
        quality_models(str(folder), (str(tmp_path),), ("sdpa",), {}, "cpu")
    # softmax with a performer's weights is as untrained as performer with softmax's
    assert not quality_models(str(tmp_path), (), ("sdpa",), {}, "cpu")["sdpa"].trained
