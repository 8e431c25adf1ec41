"""The whole study on a model of a few thousand numbers, and its files."""

import csv
import dataclasses
import json
from pathlib import Path

import pytest

import rfcli
from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, save_checkpoint
from rfcli.study import Row, StudySettings, Watch, run_study
from rfcli.study.quality import QualityRow
from rfcli.study.results.files import UNFINISHED, Findings, read_results, read_unfinished, write_csv, write_unfinished
from rfcli.study.results.measurement import Measurement
from tests.support.small_study import SMALL


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(RenderFormer(SMALL), folder, "random")
    return str(folder)


def settings(model: str, *attentions: str, layers: int = 1) -> StudySettings:
    return StudySettings(model, attentions or ("sdpa", "performer"), (128, 256), layers, "cpu", seed=0)


@pytest.mark.parametrize("attention", ["sdpa", "nearfar"])
def test_what_several_processes_cannot_share_is_refused(model: str, attention: str) -> None:
    sentence = f"--attention: {attention} reads keys one by one, which .*; choose among performer, hedgehog, or run"
    with pytest.raises(InputError, match=sentence):
        dataclasses.replace(settings(model, "performer", attention), processes=2)
    assert dataclasses.replace(settings(model, "performer", "hedgehog"), processes=2).processes == 2


def test_a_study_measures_and_writes_what_it_promises(model: str, tmp_path: Path) -> None:
    events: list[str] = []
    grown: list[int] = []
    watch = Watch(lambda spent, expected, event: events.append(event), lambda points: grown.append(len(points)))
    study = run_study(settings(model), 90.0, tmp_path, watch)
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
    assert grown == [0, 2, 4]
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
    assert results["environment"]["torch"]
    assert [row["seconds"] for row in results["rows"]] == [row.seconds for row in study.results.rows]
    assert len(results["measurements"][0]["seconds"]) == results["rows"][0]["runs"]
    assert read_results(tmp_path / "results.json").rows == study.results.rows
    with (tmp_path / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [float(line["seconds"]) for line in lines] == [row.seconds for row in study.results.rows]


def test_an_interrupted_study_goes_on(model: str, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop_at_the_second_count(spent: float, expected: float, event: str) -> None:
        if "256" in event:
            raise StopError

    with pytest.raises(StopError):
        run_study(settings(model, "sdpa"), 90.0, tmp_path, Watch(stop_at_the_second_count))
    assert [path.name for path in tmp_path.iterdir()] == [UNFINISHED]
    kept = json.loads((tmp_path / UNFINISHED).read_text())["measurements"]
    assert {point["triangles"] for point in kept} == {128}

    events: list[str] = []
    watch = Watch(lambda spent, expected, event: events.append(event))
    study = run_study(settings(model, "sdpa"), 90.0, tmp_path, watch)
    assert not any(event == "sdpa, 128 triangles" for event in events)
    assert "render by sdpa, 128 triangles" in events
    assert all(row.measured for row in study.results.rows)
    first = next(row for row in study.results.rows if row.triangles == 128)
    assert first.runs == len(kept[0]["seconds"])
    assert not (tmp_path / UNFINISHED).exists()


def test_points_of_another_setup_or_a_broken_file_are_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / UNFINISHED
    point = Measurement("a", 1, (1.0, 2.0), None, (0.5, 0.25), (0.1, 0.2))
    picture = QualityRow("heap", 1, "a", "tiny", True, 0.5, {"psnr": 1.0}, None)
    findings = Findings([point], [point, point], [picture])
    write_unfinished(path, {"counts": (1, 2)}, findings)
    assert read_unfinished(path, {"counts": (1, 2)}) == findings
    assert read_unfinished(path, {"counts": (1, 3)}) == Findings()
    path.write_text("{")
    assert read_unfinished(path, {"counts": (1, 2)}) == Findings()
    assert read_unfinished(tmp_path / "absent", {}) == Findings()


def test_a_budget_too_small_for_anything_says_so(model: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--budget"):
        run_study(settings(model), 0.2, tmp_path, Watch())


def test_csv_leaves_unknown_numbers_empty(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", [Row("a", 1, None, None, None, None, False, 0)])
    header, line = (tmp_path / "x.csv").read_text().splitlines()
    assert header == (
        "attention,triangles,seconds,seconds_low,seconds_high,peak_bytes,measured,runs,operation_seconds,floor_share,"
        "precision"
    )
    assert line == "a,1,,,,,False,0,,,fp32"


@pytest.mark.parametrize(
    ("name", "preset", "millions"), [("tiny", "tiny", 2), ("base", "base", 205), ("large", "swin-large", 483)]
)
def test_sizes_are_the_published_architectures(name: str, preset: str, millions: int) -> None:
    study = StudySettings(name, ("sdpa",), (1024,), 1, "cpu", 0)
    assert study.architecture() == PRESETS[preset]
    stage = study.stage("performer")
    assert (stage.num_layers, stage.attention) == (1, "performer")
    assert study.whole("performer").num_layers == PRESETS[preset].num_layers
    assert study.pixels() == 256
    assert stage.latent_dim == PRESETS[preset].latent_dim
    keyed = StudySettings(name, ("sdpa", "nearfar"), (1024,), 1, "cpu", 0, keys=512)
    assert [keyed.stage(name).attention_options for name in keyed.attentions] == [{}, {"keys": 512}]
    assert round(study.parameters() / 1e6) == millions


@pytest.mark.parametrize("model", ["rf-tiny", "rf-tiny-performer"])
def test_the_stage_of_a_model_with_first_hits_is_one_that_can_be_built(model: str) -> None:
    folder = Path(rfcli.__file__).parent / "weights" / model
    study = StudySettings(str(folder), ("sdpa", "performer"), (1024,), 1, "cpu", 0)
    assert study.architecture().visibility == "first-hit"
    assert [study.stage(name).attention for name in study.attentions] == ["sdpa", "performer"]


def test_settings_that_cannot_be_are_refused(model: str) -> None:
    with pytest.raises(InputError, match=r"--layers 3.*2 layers"):
        settings(model, layers=3)
    with pytest.raises(InputError, match=r"--attention.*'nothing'.*sdpa"):
        StudySettings("tiny", ("sdpa", "nothing"), (1024,), 1, "cpu", 0)
    with pytest.raises(InputError, match="--keys 512 is an option of nearfar"):
        StudySettings("tiny", ("sdpa",), (1024,), 1, "cpu", 0, keys=512)
    with pytest.raises(InputError, match="No model 'nowhere'"):
        StudySettings("nowhere", ("sdpa",), (1024,), 1, "cpu", 0)
