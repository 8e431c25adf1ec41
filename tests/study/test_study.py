"""A whole study of a model with a few thousand parameters, and its files."""

import csv
import json
from pathlib import Path

import pytest

from rfcli.errors import InputError
from rfcli.model import RenderFormer, save_checkpoint
from rfcli.study import ProgressCallbacks, QualitySettings, StudySettings, read_results, run_study
from rfcli.study.results.files import UNFINISHED
from tests.support.small_model import SMALL


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(RenderFormer(SMALL), folder, "random")
    return str(folder)


def settings(model: str, *attentions: str, quality: QualitySettings | None = None) -> StudySettings:
    return StudySettings(model, attentions or ("sdpa", "performer"), (128, 256), 1, "cpu", seed=0, quality=quality)


def test_study_measures_every_point_and_writes_its_files(model: str, tmp_path: Path) -> None:
    events: list[str] = []
    known: list[int] = []
    callbacks = ProgressCallbacks(
        lambda spent, expected, event: events.append(event), lambda points: known.append(len(points))
    )
    study = run_study(settings(model), 90.0, tmp_path, callbacks)
    assert [(row.attention, row.triangles) for row in study.results.rows] == [
        ("sdpa", 128),
        ("sdpa", 256),
        ("performer", 128),
        ("performer", 256),
    ]
    assert all(row.measured and 0 < row.seconds_low <= row.seconds <= row.seconds_high for row in study.results.rows)  # type: ignore[operator]
    assert all(0 < row.operation_seconds < row.seconds and 0 < row.floor_share < 1 for row in study.results.rows)  # type: ignore[operator]
    assert set(study.results.fits) == {"sdpa", "performer"}
    assert set(study.results.crossings) == {"sdpa<performer", "performer<sdpa"}
    assert events[0] == "sdpa, 128 triangles"
    assert any(event == "render by performer, 256 triangles" for event in events)
    assert known == [0, 2, 4]
    stage = {(row.attention, row.triangles): row.seconds for row in study.results.rows}
    assert {(row.attention, row.triangles) for row in study.results.renders} == set(stage)
    for row in study.results.renders:
        assert row.measured
        assert row.seconds > 0  # type: ignore[operator]
    for point in study.results.render_measurements:
        assert all(0 < view < whole for view, whole in zip(point.view, point.seconds, strict=True))
    assert all(path.is_file() for path in study.outputs)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in study.outputs}

    results = json.loads((tmp_path / "results.json").read_text())
    assert results["layers"] == 1
    assert results["model_layers"] == 2
    assert results["keys"] is None
    assert results["environment"]["torch"]
    assert [row["seconds"] for row in results["rows"]] == [row.seconds for row in study.results.rows]
    assert len(results["measurements"][0]["seconds"]) == results["rows"][0]["runs"]
    assert read_results(tmp_path / "results.json").rows == study.results.rows
    with (tmp_path / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [float(line["seconds"]) for line in lines] == [row.seconds for row in study.results.rows]


@pytest.mark.slow
def test_interrupted_study_resumes(model: str, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop_at_the_second_count(spent: float, expected: float, event: str) -> None:
        if "256" in event:
            raise StopError

    with pytest.raises(StopError):
        run_study(settings(model, "sdpa"), 90.0, tmp_path, ProgressCallbacks(stop_at_the_second_count))
    assert [path.name for path in tmp_path.iterdir()] == [UNFINISHED]
    kept = json.loads((tmp_path / UNFINISHED).read_text())["measurements"]
    assert {point["triangles"] for point in kept} == {128}

    events: list[str] = []
    callbacks = ProgressCallbacks(lambda spent, expected, event: events.append(event))
    study = run_study(settings(model, "sdpa"), 90.0, tmp_path, callbacks)
    assert not any(event == "sdpa, 128 triangles" for event in events)
    assert "render by sdpa, 128 triangles" in events
    assert all(row.measured for row in study.results.rows)
    first = next(row for row in study.results.rows if row.triangles == 128)
    assert first.runs == len(kept[0]["seconds"])
    assert not (tmp_path / UNFINISHED).exists()


def test_budget_too_small_for_any_point_is_refused(model: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`budget` did not suffice"):
        run_study(settings(model), 0.2, tmp_path, ProgressCallbacks())


def test_counts_too_small_for_pictures_are_refused_before_anything_is_measured(model: str, tmp_path: Path) -> None:
    small = StudySettings(model, ("sdpa",), (64,), 1, "cpu", seed=0, quality=QualitySettings())
    with pytest.raises(InputError, match="`triangles`: pictures of random scenes need 128"):
        run_study(small, 90.0, tmp_path / "study", ProgressCallbacks(), models={})
    assert not (tmp_path / "study").exists()
