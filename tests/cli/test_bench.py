"""`rf bench` end to end; the study itself is tested in tests/study."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rfcli.study.files import UNFINISHED
from tests.cli.conftest import Rf

ROOT = Path(__file__).parents[2]


def test_a_small_study(rf: Rf, model: Path) -> None:
    result = rf("bench", "--triangles", "128,256", "--model", model, "--budget", "6", "--device", "cpu", "--json")
    assert result.exit_code == 0, result.stderr
    receipt = json.loads(result.stdout)
    assert receipt["command"] == "bench"
    assert receipt["outputs"] == [
        f"bench/{name}"
        for name in (
            "results.json",
            "results.csv",
            "time.png",
            "time.svg",
            "memory.png",
            "memory.svg",
            "report.html",
        )
    ]
    assert all(Path(path).stat().st_size > 0 for path in receipt["outputs"])
    assert {(row["attention"], row["triangles"]) for row in receipt["rows"]} >= {
        ("sdpa", 128),
        ("sdpa", 256),
        ("performer", 128),
        ("performer", 256),
        ("nearfar", 128),
        ("nearfar", 256),
    }
    for row in receipt["rows"]:
        assert row["measured"] is True
        assert 0 < row["seconds_low"] <= row["seconds"] <= row["seconds_high"]
    assert {"exponent", "low", "high"} <= set(receipt["fits"]["performer"])
    assert "performer<sdpa" in receipt["crossings"]
    assert receipt["model"]["name"] == str(model)
    assert receipt["seconds"] < 360
    assert "256" in result.stderr  # people's table


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--triangles", "64k-1k"], ["--triangles", "1k-64k"]),
        (["--triangles", "lots"], ["--triangles", "lots"]),
        (["--attention", "sdpa,nothing"], ["--attention", "'nothing'", "performer"]),
        (["--model", "nowhere"], ["nowhere"]),
        (["--model", "tiny", "--layers", "7"], ["--layers 7", "4 layers"]),
        (["--attention", "sdpa", "--keys", "512"], ["--keys 512", "nearfar"]),
        (["--budget", "0"], ["--budget"]),
        (["--twins", "runs/finetune"], ["--twins runs/finetune", "--quality"]),
        (["--out", "/dev/null/bench", "--model", "tiny"], ["/dev/null"]),
    ],
)
def test_mistakes(rf: Rf, arguments: list[str], words: list[str]) -> None:
    result = rf("bench", *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr


def test_ctrl_c_ends_at_once_keeps_what_is_finished_and_leaves_no_process(tmp_path: Path) -> None:
    program = (sys.executable, "-c", "from rfcli.cli.app import main; main()")
    study = subprocess.Popen(
        [*program, "bench", "--triangles", "64,30k", "--attention", "sdpa", "--model", "base", "--quiet"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    finished = tmp_path / "bench" / UNFINISHED
    deadline = time.monotonic() + 60
    while not finished.exists() and study.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)  # by now the second point is on its way
    study.send_signal(signal.SIGINT)
    asked = time.monotonic()
    out, err = study.communicate(timeout=20)
    assert time.monotonic() - asked < 10
    assert (study.returncode, out, err) == (130, "", "Interrupted; what is finished is kept.\n")
    assert [point["triangles"] for point in json.loads(finished.read_text())["measurements"]] == [64]
    left = subprocess.run(["ps", "-o", "stat=", "-g", str(study.pid)], capture_output=True, text=True, check=False)
    assert [state for state in left.stdout.split() if not state.startswith("Z")] == []
