"""`rf bench` end to end; the parts of a study are tested in tests/study."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rfcli.study.results import Measurement, QualityRow, Results, stage_rows
from rfcli.study.results.files import UNFINISHED
from tests.cli.conftest import Rf
from tests.support.study_results import invented_setup

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from rfcli.cli.app import main; main()"]


def test_study_of_one_point(rf: Rf, model: Path) -> None:
    options = ["--triangles", "128", "--attention", "performer", "--model", model, "--budget", "6", "--device", "cpu"]
    result = rf("bench", *options, "--json")
    assert result.exit_code == 0, result.stderr
    receipt = json.loads(result.stdout)
    for (row,) in (receipt["rows"], receipt["renders"]):
        assert (row["attention"], row["triangles"], row["measured"]) == ("performer", 128, True)
        assert 0 < row["seconds_low"] <= row["seconds"] <= row["seconds_high"]
    assert receipt["rows"][0]["seconds"] < receipt["renders"][0]["seconds"]
    assert all(Path(path).stat().st_size > 0 for path in receipt["outputs"])
    assert "128" in result.stderr  # the table for people


@pytest.mark.slow
def test_study_of_two_mechanisms(rf: Rf, model: Path) -> None:
    options = ["--triangles", "128,256", "--model", model, "--budget", "6", "--device", "cpu"]
    result = rf("bench", *options, "--attention", "sdpa,performer", "--json")
    assert result.exit_code == 0, result.stderr
    receipt = json.loads(result.stdout)
    assert receipt["command"] == "bench"
    assert receipt["outputs"] == [
        f"bench/{name}"
        for name in (
            "results.json",
            "results.csv",
            "renders.csv",
            "time.png",
            "time.svg",
            "memory.png",
            "memory.svg",
            "render.png",
            "render.svg",
            "report.html",
        )
    ]
    assert all(Path(path).stat().st_size > 0 for path in receipt["outputs"])
    assert {(row["attention"], row["triangles"]) for row in receipt["rows"]} == {
        ("sdpa", 128),
        ("sdpa", 256),
        ("performer", 128),
        ("performer", 256),
    }
    for row in receipt["rows"]:
        assert row["measured"] is True
        assert 0 < row["seconds_low"] <= row["seconds"] <= row["seconds_high"]
    stage = {(row["attention"], row["triangles"]): row["seconds"] for row in receipt["rows"]}
    renders = {(row["attention"], row["triangles"]): row for row in receipt["renders"]}
    assert set(renders) == set(stage)
    assert all(row["measured"] and row["seconds"] > 0 for row in renders.values())
    assert {"exponent", "low", "high"} <= set(receipt["fits"]["performer"])
    assert "performer<sdpa" in receipt["crossings"]
    assert set(receipt["crossing_intervals"]) == set(receipt["crossings"])
    assert receipt["model"]["name"] == str(model)
    assert receipt["seconds"] < 360
    assert "256" in result.stderr  # the table for people


@pytest.mark.slow
def test_all_mechanisms_are_studied_by_default(rf: Rf, model: Path) -> None:
    result = rf("bench", "--triangles", "1", "--model", model, "--budget", "6", "--device", "cpu", "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert {row["attention"] for row in rows} >= {"sdpa", "performer", "hedgehog", "nearfar"}
    assert all(row["measured"] for row in rows)


@pytest.mark.slow
def test_study_of_a_scene_with_pictures(rf: Rf, model: Path, scene: Path) -> None:
    options = ["--triangles", "16,64", "--attention", "sdpa", "--model", model, "--budget", "6", "--device", "cpu"]
    result = rf("bench", "--scene", scene, *options, "--quality", "--json")
    assert result.exit_code == 0, result.stderr
    assert "heap.h5 cannot be decimated to 16 triangles, only to 20" in result.stderr
    receipt = json.loads(result.stdout)
    for name in ("rows", "renders", "quality"):
        assert [row["triangles"] for row in receipt[name]] == [20, 64]
    assert {row["scene"] for row in receipt["quality"]} == {"heap"}
    written = json.loads(Path("bench/results.json").read_text())
    assert (written["scene"]["file"], written["scene"]["triangles"]) == ("heap.h5", 20)
    assert "heap.h5" in Path("bench/time.svg").read_text()


def write_results(folder: Path, factor: float) -> Path:
    """The results.json of an invented study."""
    points = [Measurement("sdpa", n, tuple(factor * n * x for x in (1e-3, 1.01e-3, 1.02e-3)), n) for n in (128, 256)]
    picture = QualityRow("heap", 128, "sdpa", "tiny", True, 0.5, {"psnr": 20.0}, None)
    table = stage_rows(points, ["sdpa"], (128, 256), 0)
    folder.mkdir()
    Results(invented_setup(), table, [], {}, {}, [picture], points, [], {}).write(folder / "results.json")
    return folder / "results.json"


def test_from_redraws_without_measuring(rf: Rf, tmp_path: Path) -> None:
    result = rf("bench", "--from", write_results(tmp_path / "a", 1.0), "--out", "again", "--json")
    assert result.exit_code == 0, result.stderr
    receipt = json.loads(result.stdout)
    names = {Path(path).name for path in receipt["outputs"]}
    assert {"results.csv", "quality.csv", "quality.svg", "time.png", "memory.svg", "report.html"} <= names
    assert "grid.png" not in names  # the study's folder has no pictures
    assert all(Path(path).parent == Path("again") and Path(path).is_file() for path in receipt["outputs"])
    assert [row["seconds"] for row in receipt["rows"]] == pytest.approx([0.12928, 0.25856])


def test_compare_finds_differences_outside_noise(rf: Rf, tmp_path: Path) -> None:
    write_results(tmp_path / "a", 1.0)
    result = rf("bench", "--compare", tmp_path / "a", write_results(tmp_path / "b", 2.0), "--json")
    assert result.exit_code == 0, result.stderr
    receipt = json.loads(result.stdout)
    assert [(row["triangles"], row["outside_noise"]) for row in receipt["differences"]] == [(128, True), (256, True)]
    assert receipt["differences"][0]["ratio"] == pytest.approx(2.0)
    assert receipt["outputs"] == ["bench/compare.png", "bench/compare.svg"]
    assert "2 of 2 differences are outside noise" in result.stderr
    same = rf("bench", "--compare", tmp_path / "a", tmp_path / "a", "--json")
    assert [row["outside_noise"] for row in json.loads(same.stdout)["differences"]] == [False, False]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "nothing.json"], ["nothing.json", "results.json"]),
        (["--from", "a", "--compare", "a", "b"], ["--from", "--compare"]),
        (["--compare", "a", "b"], ["a", "results.json"]),
        (["--triangles", "64k-1k"], ["--triangles", "1k-64k"]),
        (["--triangles", "lots"], ["--triangles", "lots"]),
        (["--attention", "sdpa,nothing"], ["--attention", "'nothing'", "performer"]),
        (["--model", "nowhere"], ["nowhere"]),
        (["--model", "tiny", "--layers", "7"], ["--layers 7", "4 layers"]),
        (["--attention", "sdpa", "--keys", "512"], ["--keys 512", "nearfar"]),
        (["--budget", "0"], ["--budget"]),
        (["--twins", "nowhere"], ["nowhere"]),
        (["--twins", "tiny-performer", "--attention", "sdpa"], ["--twins tiny-performer", "--attention"]),
        (["--quality", "--triangles", "64"], ["--triangles", "128 or more, not 64"]),
        (["--scene", "absent.json"], ["absent.json"]),
        (["--out", "/dev/null/bench", "--model", "tiny"], ["/dev/null"]),
    ],
)
def test_mistakes_are_one_sentence(rf: Rf, arguments: list[str], words: list[str]) -> None:
    result = rf("bench", *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr


@pytest.mark.slow
def test_two_processes_share_every_point(model: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    options = ["--triangles", "64,128", "--model", str(model), "--budget", "3", "--device", "cpu", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    command = [*torchrun, *PROGRAM, "bench", *options]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    receipt = json.loads(result.stdout)
    measured = {(row["attention"], row["triangles"]) for row in receipt["rows"] if row["measured"]}
    assert measured == {(name, count) for name in ("performer", "hedgehog") for count in (64, 128)}
    assert receipt["renders"] == []
    assert json.loads((tmp_path / "bench" / "results.json").read_text())["processes"] == 2


@pytest.mark.slow
def test_ctrl_c_keeps_finished_points_and_leaves_no_process(tmp_path: Path) -> None:
    study = subprocess.Popen(
        [*PROGRAM, "bench", "--triangles", "64,30k", "--attention", "sdpa", "--model", "base", "--quiet"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    unfinished = tmp_path / "bench" / UNFINISHED
    deadline = time.monotonic() + 60
    while not unfinished.exists() and study.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)  # by now the second point is running
    study.send_signal(signal.SIGINT)
    start = time.monotonic()
    out, err = study.communicate(timeout=20)
    assert time.monotonic() - start < 10
    assert (study.returncode, out, err) == (130, "", "Interrupted; finished work is kept.\n")
    assert [point["triangles"] for point in json.loads(unfinished.read_text())["measurements"]] == [64]
    while (left := processes_of_group(study.pid)) and time.monotonic() < start + 20:
        time.sleep(0.2)  # a busy machine takes a moment to end them
    assert left == []


def processes_of_group(group: int) -> list[str]:
    """The states of the processes of a group that have not ended."""
    listed = subprocess.run(["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False)
    return [state for state in listed.stdout.split() if not state.startswith("Z")]


@pytest.mark.slow
def test_killed_study_resumes_from_its_last_point(rf: Rf, model: Path, tmp_path: Path) -> None:
    options = [
        "--triangles",
        "64,128",
        "--attention",
        "sdpa",
        "--model",
        str(model),
        "--budget",
        "6",
        "--device",
        "cpu",
    ]
    command = [*PROGRAM, "bench", *options, "--quiet"]
    study = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    unfinished = tmp_path / "bench" / UNFINISHED
    deadline = time.monotonic() + 120
    while not unfinished.exists() and study.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    study.kill()  # SIGKILL: no clean-up is possible
    study.wait()
    kept = json.loads(unfinished.read_text())["measurements"]
    assert [point["triangles"] for point in kept] == [64]
    assert not (tmp_path / "bench" / "results.json").exists()

    assert rf("bench", *options).exit_code == 0
    measured = json.loads((tmp_path / "bench" / "results.json").read_text())["measurements"]
    assert measured[0] == kept[0]  # not measured again
    assert [point["triangles"] for point in measured] == [64, 128]
    assert not unfinished.exists()
