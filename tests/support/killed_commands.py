"""Kills commands at random moments and runs them again until they finish, many times.

Fifty kills of each command are a test (`pytest -m long`). By hand, for one command and another number:

    python -m tests.support.killed_commands gen-data --kills 20 --how kill
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil
import torch

from rfcli.cli.app import app

MAX_RUN_SECONDS = 300.0  # of an undisturbed run
MAX_EXIT_SECONDS = 60.0  # until the children of a killed run have ended; those that are just starting notice it late
TIME_FIELDS = re.compile(r"second|hour|rate|loading|per_s|time")  # fields of metrics.jsonl that differ between runs


def contents(folder: Path) -> dict[str, Any]:
    """The bytes of every file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def training_result(folder: Path) -> dict[str, Any]:
    """Models, pictures and history of a training run, without the times in it."""
    files = ("model.safetensors", "config.json", "best/model.safetensors", "best/config.json", "grid.png")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    history = [{name: value for name, value in line.items() if not TIME_FIELDS.search(name)} for line in lines]
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {"names": names, "history": history, **{name: (folder / name).read_bytes() for name in files}}


def study_result(folder: Path) -> dict[str, Any]:
    """Points measured by a study and names of its files. Seconds differ between runs."""
    results = json.loads((folder / "results.json").read_text())
    points = {
        name: [(r["attention"], r["triangles"], r["measured"]) for r in results[name]] for name in ("rows", "renders")
    }
    return {**points, "names": sorted(contents(folder))}


def finished_points(folder: Path) -> list[Any]:
    """Finished points of a study, which no kill may remove."""
    for name, fields in (
        ("results.json", ("measurements", "render_measurements")),
        ("unfinished.json", ("measurements", "renders")),
    ):
        if (folder / name).exists():
            found = json.loads((folder / name).read_text())
            return [{"whole render": field != "measurements", **point} for field in fields for point in found[field]]
    return []


def finished_scenes(folder: Path) -> list[Any]:
    """Complete lines of the manifest."""
    path = folder / "manifest.jsonl"
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


@dataclass(frozen=True)
class Command:
    """A command of the test.

    Attributes:
        arguments: Arguments of rf, without --out.
        result: From the folder of a finished run to what must be equal in all runs.
        kept: From the folder to results that no kill may remove.
    """

    arguments: list[str]
    result: Callable[[Path], dict[str, Any]] = contents
    kept: Callable[[Path], list[Any]] = lambda folder: []


def commands(model: Path, scene: Path, data: Path) -> dict[str, Command]:
    """All long-running commands with small settings; model, scene and data are their inputs."""
    training = f"--data {data} --resolution 16 --batch 2 --views 1 --warmup 1 --steps 12 --validate-every 4"
    training += " --save-minutes 0 --device cpu"
    small = "--views 1 --resolution 16 --spp 1 --triangles 128-256 --workers 2"
    study = "--triangles 16,32 --attention sdpa --budget 3 --device cpu"
    return {
        "gen-data": Command(f"gen-data --scenes 24 {small}".split(), kept=finished_scenes),
        "train": Command(f"train {training}".split(), training_result),
        "finetune": Command(f"finetune --performer --from {model} {training}".split(), training_result),
        "video": Command(f"render {scene} --model {model} --camera-orbit 24 --resolution 32 --device cpu".split()),
        "bench": Command(f"bench --model {model} {study}".split(), study_result, finished_points),
    }


def run_rf(arguments: list[str], log: Path) -> None:
    """`rf` in a process group of its own, forked from a process with all imports."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # the starter of the fork server may have blocked it
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    torch.set_num_threads(1)  # the order of sums changes their bits
    import rfcli.training.run

    # The choice of the faster format is measured and could differ between runs.
    rfcli.training.run.fastest_precision = lambda device: torch.float32
    with contextlib.suppress(KeyboardInterrupt):  # before the command starts or after its end
        app(arguments, prog_name="rf")
        return
    sys.exit(130)


class Killer:
    """Runs a command repeatedly and stops it at random moments by the signal `how`."""

    def __init__(self, command: Command, folder: Path, how: signal.Signals, seed: int = 0) -> None:
        self.command, self.out, self.how, self.rng = command, folder / "out", how, random.Random(seed)
        self.log = folder / "log.txt"
        self._context = multiprocessing.get_context("forkserver")  # a new process without seconds of imports
        self._context.set_forkserver_preload(["rfcli.cli.app", "rfcli.training.loop", "rfcli.pictures.video"])
        self.counts: Counter[str] = Counter()

    def undisturbed(self) -> tuple[dict[str, Any], float]:
        """Result and seconds of an undisturbed run."""
        start = time.monotonic()
        self._finish(self._start())
        seconds, result = time.monotonic() - start, self.command.result(self.out)
        shutil.rmtree(self.out)
        return result, seconds

    def compare(self, kills: int, report: Callable[[Counter[str]], None] = lambda counts: None) -> None:
        """Kill the command `kills` times; each finished run must equal an undisturbed one. `report` follows each kill.

        Raises AssertionError if a result differs, or a kill leaves processes or partial files or removes results.
        """
        self._finish(self._start())  # imports the modules that are not preloaded, which would count as work
        shutil.rmtree(self.out)
        expected, seconds = self.undisturbed()
        while self.counts["kills"] < kills:
            process = self._start()
            process.join(self.rng.uniform(0.05, 1.0) * seconds)
            if process.exitcode is None:
                self._kill(process)
                report(self.counts)
            elif self._succeeded(process):
                self._check(expected)
                shutil.rmtree(self.out)
        self._finish(self._start())
        self._check(expected)

    def _start(self) -> ForkServerProcess:
        self.log.unlink(missing_ok=True)
        arguments = [*self.command.arguments, "--out", str(self.out)]
        process = self._context.Process(target=run_rf, args=(arguments, self.log))
        process.start()
        return process

    def _finish(self, process: ForkServerProcess) -> None:
        process.join(MAX_RUN_SECONDS)
        assert process.exitcode is not None, "the run does not end"
        assert self._succeeded(process)

    def _succeeded(self, process: ForkServerProcess) -> bool:
        assert process.exitcode == 0, f"exit {process.exitcode}: {self.log.read_text()}"
        self.counts["ends"] += 1
        return True

    def _check(self, expected: dict[str, Any]) -> None:
        found = self.command.result(self.out)
        different = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
        assert not different, f"after {self.counts} these differ: {different}"

    def _kill(self, process: ForkServerProcess) -> None:
        """Signal the parent alone, or its whole group, as a power cut or Ctrl-C at a terminal does."""
        assert process.pid is not None
        children = psutil.Process(process.pid).children(recursive=True)
        before = self.command.kept(self.out)
        group = self.how == signal.SIGINT or self.rng.random() < 0.5
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            (os.killpg if group else os.kill)(process.pid, self.how)
        process.join(MAX_RUN_SECONDS)
        _, alive = psutil.wait_procs(children, MAX_EXIT_SECONDS)
        assert not alive, f"still there: {alive}"
        self.counts["kills"] += 1
        self.counts["torn"] += any(path.name.startswith(".") for path in self.out.rglob("*"))
        after = self.command.kept(self.out)
        assert all(item in after for item in before)
        if self.how == signal.SIGINT:
            output = self.log.read_text()
            assert process.exitcode in (0, 130), output
            assert "Traceback" not in output, output
            assert not [path for path in self.out.rglob("*") if path.name.startswith(".")]


def inputs(folder: Path) -> tuple[Path, Path, Path]:
    """Write a model, a scene and a dataset to the folder."""
    from rfcli.model import RenderFormer, save_checkpoint
    from rfcli.scene import save
    from tests.support.dataset_sources import tiny_scene
    from tests.support.small_model import SMALL
    from tests.support.training_datasets import write_dataset

    torch.manual_seed(0)
    save_checkpoint(RenderFormer(SMALL), folder / "model", "random weights")
    save(tiny_scene(3), folder / "heap.h5")
    return folder / "model", folder / "heap.h5", write_dataset(folder / "data", 6)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["gen-data", "train", "finetune", "video", "bench"])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--how", choices=["kill", "interrupt"], default="kill")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    how = signal.SIGKILL if options.how == "kill" else signal.SIGINT
    with tempfile.TemporaryDirectory() as scratch:
        killer = Killer(commands(*inputs(Path(scratch)))[options.command], Path(scratch), how, options.seed)
        start = time.monotonic()
        killer.compare(options.kills, lambda counts: print(f"{options.command}: {dict(counts)}", flush=True))
    print(f"{options.command}: {dict(killer.counts)}, {time.monotonic() - start:.0f} s; no difference")
