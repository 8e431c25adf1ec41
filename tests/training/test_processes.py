"""Training in two processes, started by torchrun: the result of one process, and none outlives the others."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from rfcli.model import PRESETS
from rfcli.runtime.processes import Processes, join
from rfcli.training.initialise import new_model
from rfcli.training.run_folder import HISTORY
from rfcli.training.state import states
from tests.support.training_datasets import write_dataset

TIMEOUT = 120  # seconds until everything must have ended; the machine may be busy
STEPS = 6
SLOW, LONG = pytest.mark.slow, pytest.mark.long
SHARDS = ("--shard-weights",)
TORCHRUN = [sys.executable, *["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]]
# `rf` with every step in the history, and always in float32: bfloat16 would round to 4e-3
RF = """
import torch
from rfcli.training import loop, run
loop.REPORT_EVERY = 1
run.fastest_precision = lambda device: torch.float32
from rfcli.cli.app import main
main()
"""


@pytest.mark.parametrize(("scenes", "count"), [(4, 2), (5, 2), (1, 3), (7, 1)])
def test_shares_of_a_batch_sum_to_one(scenes: int, count: int) -> None:
    shares = [Processes(rank, count).share(scenes) for rank in range(count)]
    assert sorted(place for places, share in shares if share for place in places) == list(range(scenes))
    assert sum(share for _, share in shares) == pytest.approx(1)
    assert all(len(places) for places, _ in shares)


def test_a_single_process_without_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    found = join()
    assert (found.rank, found.count, found.first, found.orphaned) == (0, 1, True, False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six scenes, one of them held out: the last batch of each epoch is not full."""
    return write_dataset(tmp_path_factory.mktemp("data"), 6)


def rf_train(data: Path, out: Path, batch: int, steps: int, launcher: Sequence[str] = (), *flags: str) -> list[str]:
    """The command, with the launcher in front."""
    options = {"data": data, "out": out, "resolution": 16, "batch": batch, "steps": steps, "warmup": 1}
    values = [f"--{name}={value}" for name, value in options.items()]
    return [*launcher, sys.executable, "-c", RF, "train", *values, *flags]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def curve(out: Path) -> list[list[float]]:
    """Loss and gradient norm of each step."""
    lines = map(json.loads, (out / HISTORY).read_text().splitlines())
    return [[line["loss"], line["gradient_norm"]] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def single(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process."""
    out = tmp_path_factory.mktemp("runs") / "single"
    run_to_end(rf_train(data, out, 4, STEPS))
    return out


def run_to_end(command: list[str]) -> None:
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=10 * TIMEOUT)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("scenes to train on") == 1  # only the first process prints


@pytest.mark.parametrize(
    "flags", [pytest.param((), id="copies", marks=SLOW), pytest.param(SHARDS, id="shards", marks=LONG)]
)
def test_two_processes_equal_one_at_twice_the_batch(
    tmp_path: Path, data: Path, single: Path, flags: Sequence[str]
) -> None:
    run_to_end(rf_train(data, tmp_path / "two", 2, STEPS, TORCHRUN, *flags))
    one, two = np.array(curve(single)), np.array(curve(tmp_path / "two"))
    assert len(one) == STEPS
    assert two == pytest.approx(one, rel=1e-5)
    ours, theirs = (torch.load(states(out)[-1], weights_only=True)["weights"] for out in (single, tmp_path / "two"))
    start = new_model(PRESETS["tiny"], 0).state_dict()
    moved = sum((value - start[name]).square().sum() for name, value in ours.items()) ** 0.5
    apart = sum((value - theirs[name]).square().sum() for name, value in ours.items()) ** 0.5
    assert apart < 1e-3 * moved  # AdamW turns the rounding of the smallest gradients into whole steps


@contextmanager
def running(command: list[str], out: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[int, int]]]:
    """A run that has taken its first steps: its launcher, and the process id of each rank. All are ended at exit."""
    with log.open("wb") as output:
        launcher = subprocess.Popen(command, env=environment(), stdout=output, stderr=output)
    workers: list[psutil.Process] = []
    try:
        until = time.monotonic() + 5 * TIMEOUT
        while not (out / HISTORY).exists():
            assert launcher.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        workers = psutil.Process(launcher.pid).children(recursive=True)
        ranks = {int(worker.environ()["RANK"]): worker.pid for worker in workers if "RANK" in worker.environ()}
        assert sorted(ranks) == [0, 1]
        yield launcher, ranks
        _, alive = psutil.wait_procs(workers, timeout=TIMEOUT)
        assert not alive, log.read_text()
    finally:
        for process in workers:
            if process.is_running():
                process.kill()
        launcher.kill()
        launcher.wait()


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(
    ("victim", "flags"),
    [
        *(pytest.param(victim, (), marks=SLOW, id=victim) for victim in ("rank 1", "Ctrl-C")),
        *(pytest.param(victim, (), marks=LONG, id=victim) for victim in ("rank 0", "torchrun")),
        *(
            pytest.param(victim, SHARDS, marks=LONG, id=f"{victim}, shards")
            for victim in ("rank 1", "Ctrl-C", "rank 0", "torchrun")
        ),
    ],
)
def test_no_process_outlives_the_others(tmp_path: Path, data: Path, victim: str, flags: Sequence[str]) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    endless = rf_train(data, out, 2, 10**6, TORCHRUN, *flags)
    with running(endless, out, log) as (launcher, ranks):
        if victim == "Ctrl-C":
            launcher.send_signal(signal.SIGINT)
        else:
            pid = {"rank 0": ranks[0], "rank 1": ranks[1], "torchrun": launcher.pid}[victim]
            os.kill(pid, signal.SIGKILL)
        launcher.wait(TIMEOUT)
    text = log.read_text()
    message = "Another of the 2 training processes has ended, so this one ends too; correct the error"
    assert text.count(message) == (1 if victim.startswith("rank") else 0), text
    assert "This is a defect of rf" not in text
    assert bool(list(out.glob("states/*"))) == (not victim.startswith("rank"))  # otherwise saved before the end
    if victim in ("torchrun", "Ctrl-C"):
        assert text.count("Interrupted;") == 1
