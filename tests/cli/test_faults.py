"""External faults: Ctrl-C, kill -9, a full disk, another run in the same folder, too little memory."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from rfcli.cli.errors import failure_message
from rfcli.errors import InputError
from rfcli.runtime.files import locked
from tests.cli.conftest import Rf
from tests.support.training_datasets import write_dataset

PROGRAM = [sys.executable, "-c", "from rfcli.cli.app import main; main()"]
MAX_FILE_BYTES = 2000  # limit of the process that simulates a full disk


def video(model: Path, scene: Path, folder: Path) -> list[str]:
    where = ["--model", str(model), "--out", str(folder), "--device", "cpu"]
    return [*PROGRAM, "render", str(scene), "--camera-orbit", "24", "--resolution", "16", *where]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unfinished(folder: Path) -> list[str]:
    return [name for name in contents(folder) if Path(name).name.startswith(".")]


@pytest.fixture(scope="module")
def unbroken(model: Path, scene: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """The files of an undisturbed run, and its seconds."""
    folder = tmp_path_factory.mktemp("unbroken")
    start = time.perf_counter()
    subprocess.run(video(model, scene, folder), check=True, capture_output=True)
    return contents(folder), time.perf_counter() - start


def started(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """The command, after it has written its first frame or has ended."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(folder.glob("*/frame-*.png")):
        time.sleep(0.01)
    return process


@pytest.mark.parametrize(
    ("how", "times"),
    [
        (signal.SIGKILL, 2),
        pytest.param(signal.SIGINT, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, 50, marks=pytest.mark.long),
        pytest.param(signal.SIGINT, 50, marks=pytest.mark.long),
    ],
)
def test_a_stopped_video_resumes_to_the_same_bytes(
    model: Path,
    scene: Path,
    tmp_path: Path,
    unbroken: tuple[dict[str, bytes], float],
    how: signal.Signals,
    times: int,
) -> None:
    whole, seconds = unbroken
    moments = random.Random(0)
    for number in range(times):
        process = started(video(model, scene, tmp_path), tmp_path) if number < times // 2 else None
        if process is None:
            process = subprocess.Popen(video(model, scene, tmp_path), stderr=subprocess.PIPE, text=True)
            time.sleep(moments.uniform(0.2 * seconds, seconds))
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(how)
        _, stderr = process.communicate(timeout=120)
        if how == signal.SIGINT and process.returncode != 0 and "init_import_site" not in stderr:  # Python had started
            # in its first and last moments the signal itself ends the process, which a shell also reports as 130
            assert process.returncode in (130, -signal.SIGINT), stderr
            assert "Traceback" not in stderr
            assert unfinished(tmp_path) == []
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
    subprocess.run(video(model, scene, tmp_path), check=True, capture_output=True)
    assert contents(tmp_path) == whole


BACKWARDS = """
import itertools, time
now, hours = time.time, itertools.count()
time.time = lambda: now() - 3600 * next(hours)
time.time_ns = lambda: int(1e9 * time.time())
"""


@pytest.mark.slow
def test_a_clock_that_runs_backwards_changes_nothing(
    model: Path, scene: Path, tmp_path: Path, unbroken: tuple[dict[str, bytes], float]
) -> None:
    """Each reading of the clock is an hour earlier, in the process and its children."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BACKWARDS)
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    looks = [sys.executable, "-c", "import time; a = time.time(); assert time.time() < a - 1000"]
    subprocess.run(looks, check=True, env=environment)
    folder = tmp_path / "video"
    subprocess.run(video(model, scene, folder), check=True, capture_output=True, env=environment)
    assert contents(folder) == unbroken[0]
    made = {}
    for clock in (None, environment):
        out = tmp_path / f"data-{clock is None}"
        tiny = ["--scenes", "2", "--views", "1", "--resolution", "8", "--spp", "1", "--triangles", "128-256"]
        command = [*PROGRAM, "gen-data", *tiny, "--workers", "1", "--out", str(out)]
        subprocess.run(command, check=True, capture_output=True, env=clock)
        made[clock is None] = contents(out)
    assert made[True] == made[False]


def test_ctrl_c_while_the_config_file_is_read(rf: Rf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rfcli.cli.config._read", interrupt)
    result = rf("bench", "--config", "rf.yaml")
    assert result.exit_code == 130
    assert "Traceback" not in result.stderr


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))


@pytest.mark.parametrize("options", [[], ["--camera-orbit", "24"], ["--show-scene", "--save-scene", "saved.h5"]])
def test_a_full_disk_is_one_sentence_and_leaves_no_partial_file(
    model: Path, scene: Path, tmp_path: Path, options: list[str]
) -> None:
    resolution = "64" if options[:1] != ["--camera-orbit"] else "16"  # frames fit within the limit, the video does not
    command = [*PROGRAM, "render", scene, "--model", model, "--resolution", resolution, "--device", "cpu", *options]
    done = subprocess.run(
        command, cwd=tmp_path, preexec_fn=small_files, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    (sentence,) = done.stderr.splitlines()[len(warnings) :]  # and no line of a library
    assert "written" in sentence
    assert all(path.stat().st_size < MAX_FILE_BYTES for path in tmp_path.rglob("*") if path.is_file())
    assert unfinished(tmp_path) == []


@pytest.mark.parametrize(
    "command",
    [
        ["gen-data", "--scenes", "1", "--out", "claimed"],
        ["bench", "--triangles", "16", "--model", "tiny", "--out", "claimed"],
    ],
)
def test_two_runs_in_one_folder(rf: Rf, tmp_path: Path, command: list[str]) -> None:
    with locked(tmp_path / "claimed"):
        result = rf(*command)
    assert result.exit_code == 2
    assert result.stderr == "Another rf is writing to claimed; wait for it, or give another --out.\n"
    assert list((tmp_path / "claimed").iterdir()) == []


@pytest.mark.parametrize("command", [["train"], ["finetune", "--performer"]])
def test_two_training_runs_in_one_folder(rf: Rf, tmp_path: Path, model: Path, command: list[str]) -> None:
    data, start = write_dataset(tmp_path / "data", 3), ["--from", model] if "finetune" in command else []
    short = ["--resolution", 16, "--steps", 2, "--warmup", 1, "--device", "cpu"]
    with locked(tmp_path / "claimed"):
        result = rf(*command, *start, "--data", data, *short, "--out", "claimed")
    assert result.exit_code == 2
    assert result.stderr == "Another rf is writing to claimed; wait for it, or give another --out.\n"
    assert list((tmp_path / "claimed").iterdir()) == []


def test_two_runs_of_one_video(rf: Rf, tmp_path: Path, model: Path, scene: Path) -> None:
    options = ("--model", model, "--resolution", 16, "--camera-orbit", 2)
    with locked(tmp_path / "heap-view0-orbit-frames"):
        assert "Another rf is writing to" in rf("render", scene, *options).stderr
    assert rf("render", scene, *options).exit_code == 0


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from rfcli.runtime.files import locked\n"
        "with locked(Path(sys.argv[1])): print('mine', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    with pytest.raises(InputError, match="Another rf"), locked(tmp_path):
        pass
    process.kill()
    process.communicate()
    with locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["train", "finetune", "render", "bench"])
def test_an_unwritable_folder_is_an_error_before_the_work(
    rf: Rf, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("os.access", lambda *arguments: False)
    result = rf(command, *([scene] if command == "render" else []), "--out", tmp_path / "below" / "here")
    assert result.exit_code == 2
    assert f"{tmp_path} cannot be written; give another folder." in result.stderr


def test_too_little_memory_is_an_error_before_it_is_allocated(
    rf: Rf, scene: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfcli.model.rendering.free_bytes", lambda device: 19_000)
    refused = rf("render", scene, "--model", model, "--resolution", 16, "--device", "cpu")
    assert refused.exit_code == 2
    assert "20 triangles need more than 0.0 GB of memory with this model, and 0.0 GB are free" in refused.stderr
    assert "lower --max-triangles" in refused.stderr
    assert list(Path().iterdir()) == []
    monkeypatch.setattr("rfcli.model.rendering.free_bytes", lambda device: 20_000)  # 5 x 48 channels x 4 bytes x 20
    assert rf("render", scene, "--model", model, "--resolution", 16, "--device", "cpu").exit_code == 0


def allocate_with_numpy() -> None:
    np.empty((1 << 60,), np.uint8)


def allocate_with_torch() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)


def allocate_on_cuda() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 8 GiB")


@pytest.mark.parametrize(
    ("allocate", "amount"),
    [(allocate_with_numpy, "1 EiB"), (allocate_with_torch, "memory"), (allocate_on_cuda, "20 GiB")],
)
@pytest.mark.parametrize(("command", "lower"), [("render", "--max-triangles"), ("train", "--batch"), ("", "triangles")])
def test_out_of_memory_is_a_sentence_with_numbers(
    allocate: Callable[[], None], amount: str, command: str, lower: str
) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        allocate()
    sentence, code = failure_message(caught.value, command)
    assert code == 2
    assert amount in sentence
    assert f"of {psutil.virtual_memory().total / 1e9:.1f} GB" in sentence
    assert lower in sentence
