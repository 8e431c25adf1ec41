"""Commands that are killed at random moments and given again until they are through, over and over.

Fifty kills of each command are a test (`pytest -m long`); another number, of one of them, by hand:

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

PATIENCE = 300.0  # seconds for an undisturbed run
ALONE = 60.0  # seconds within which all processes of a run are gone when it is: those that begin must get to know it
TIMES = re.compile(r"second|hour|rate|loading|per_s|time")  # of fields of metrics.jsonl that differ from run to run


def contents(folder: Path) -> dict[str, Any]:
    """Bytes of every file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trained(folder: Path) -> dict[str, Any]:
    """Of a finished run of training: models, pictures, and the history but for how long things took."""
    files = ("model.safetensors", "config.json", "best/model.safetensors", "best/config.json", "grid.png")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    history = [{name: value for name, value in line.items() if not TIMES.search(name)} for line in lines]
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {"names": names, "history": history, **{name: (folder / name).read_bytes() for name in files}}


def studied(folder: Path) -> dict[str, Any]:
    """Of a finished study: which points were measured, and which files there are. Seconds differ from run to run."""
    results = json.loads((folder / "results.json").read_text())
    points = {
        name: [(r["attention"], r["triangles"], r["measured"]) for r in results[name]] for name in ("rows", "renders")
    }
    return {**points, "names": sorted(contents(folder))}


def whole_points(folder: Path) -> list[Any]:
    """The points of a study that are finished: once measured, they stay."""
    for name, fields in (
        ("results.json", ("measurements", "render_measurements")),
        ("unfinished.json", ("measurements", "renders")),
    ):
        if (folder / name).exists():
            found = json.loads((folder / name).read_text())
            return [{"whole render": field != "measurements", **point} for field in fields for point in found[field]]
    return []


def whole_scenes(folder: Path) -> list[Any]:
    """Lines of the manifest that are whole."""
    path = folder / "manifest.jsonl"
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


@dataclass(frozen=True)
class Command:
    """arguments: without --out. result: what an unbroken run leaves in its folder. kept: what no kill may take away."""

    arguments: list[str]
    result: Callable[[Path], dict[str, Any]] = contents
    kept: Callable[[Path], list[Any]] = lambda folder: []


def commands(model: Path, scene: Path, data: Path) -> dict[str, Command]:
    """All that run for long, made short. model, scene, data: what they read."""
    training = f"--data {data} --resolution 16 --batch 2 --views 1 --warmup 1 --steps 12 --validate-every 4"
    training += " --save-minutes 0 --device cpu"
    small = "--views 1 --resolution 16 --spp 1 --triangles 128-256 --workers 2"
    study = "--triangles 16,32 --attention sdpa --budget 3 --device cpu"
    return {
        "gen-data": Command(f"gen-data --scenes 24 {small}".split(), kept=whole_scenes),
        "train": Command(f"train {training}".split(), trained),
        "finetune": Command(f"finetune --performer --from {model} {training}".split(), trained),
        "video": Command(f"render {scene} --model {model} --camera-orbit 24 --resolution 32 --device cpu".split()),
        "bench": Command(f"bench --model {model} {study}".split(), studied, whole_points),
    }


def sitting(arguments: list[str], log: Path) -> None:
    """`rf` with these arguments in a process that has imported everything already, in a group of its own."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # whoever began the fork server may have held it back
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    torch.set_num_threads(1)  # sums in another order have other bits
    import rfcli.training.run

    # Which format is faster is measured, and might turn out otherwise in the run that is left alone.
    rfcli.training.run.fastest_precision = lambda device: torch.float32
    with contextlib.suppress(KeyboardInterrupt):  # before the command begins, or after its end, the interpreter's own
        app(arguments, prog_name="rf")
        return
    sys.exit(130)


class Killer:
    """Runs a command into `folder` again and again, stopping it at random moments by signal `how`."""

    def __init__(self, command: Command, folder: Path, how: signal.Signals, seed: int = 0) -> None:
        self.command, self.out, self.how, self.rng = command, folder / "out", how, random.Random(seed)
        self.log = folder / "log.txt"
        self._context = multiprocessing.get_context("forkserver")  # a fresh process, without its seconds of imports
        self._context.set_forkserver_preload(["rfcli.cli.app", "rfcli.training.loop", "rfcli.pictures.video"])
        self.counted: Counter[str] = Counter()

    def unbroken(self) -> tuple[dict[str, Any], float]:
        """What a run leaves that nothing disturbs, and its seconds."""
        start = time.monotonic()
        self._finish(self._start())
        seconds, result = time.monotonic() - start, self.command.result(self.out)
        shutil.rmtree(self.out)
        return result, seconds

    def compare(self, kills: int, told: Callable[[Counter[str]], None] = lambda counted: None) -> None:
        """Raises AssertionError where a run that was killed ends otherwise than one that was not, leaves processes or
        half files behind, or loses what it had. told: called after every kill."""
        self._finish(self._start())  # the first imports what is not preloaded, which would be taken for work
        shutil.rmtree(self.out)
        whole, seconds = self.unbroken()
        while self.counted["kills"] < kills:
            process = self._start()
            process.join(self.rng.uniform(0.05, 1.0) * seconds)
            if process.exitcode is None:
                self._kill(process)
                told(self.counted)
            elif self._ended_well(process):
                self._check(whole)
                shutil.rmtree(self.out)
        self._finish(self._start())
        self._check(whole)

    def _start(self) -> ForkServerProcess:
        self.log.unlink(missing_ok=True)
        arguments = [*self.command.arguments, "--out", str(self.out)]
        process = self._context.Process(target=sitting, args=(arguments, self.log))
        process.start()
        return process

    def _finish(self, process: ForkServerProcess) -> None:
        process.join(PATIENCE)
        assert process.exitcode is not None, "the run does not end"
        assert self._ended_well(process)

    def _ended_well(self, process: ForkServerProcess) -> bool:
        assert process.exitcode == 0, f"exit {process.exitcode}: {self.log.read_text()}"
        self.counted["ends"] += 1
        return True

    def _check(self, whole: dict[str, Any]) -> None:
        found = self.command.result(self.out)
        different = [name for name in {**whole, **found} if found.get(name) != whole.get(name)]
        assert not different, f"after {self.counted} these differ: {different}"

    def _kill(self, process: ForkServerProcess) -> None:
        """The parent alone, or its whole group as a power cut or Ctrl-C at a terminal does."""
        assert process.pid is not None
        children = psutil.Process(process.pid).children(recursive=True)
        before = self.command.kept(self.out)
        everyone = self.how == signal.SIGINT or self.rng.random() < 0.5
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself meanwhile
            (os.killpg if everyone else os.kill)(process.pid, self.how)
        process.join(PATIENCE)
        _, alive = psutil.wait_procs(children, ALONE)
        assert not alive, f"still there: {alive}"
        self.counted["kills"] += 1
        self.counted["torn"] += any(path.name.startswith(".") for path in self.out.rglob("*"))
        after = self.command.kept(self.out)
        assert all(one in after for one in before)
        if self.how == signal.SIGINT:
            said = self.log.read_text()
            assert process.exitcode in (0, 130), said
            assert "Traceback" not in said, said
            assert not [path for path in self.out.rglob("*") if path.name.startswith(".")]


def inputs(folder: Path) -> tuple[Path, Path, Path]:
    """A model, a scene and a dataset in the folder."""
    from rfcli.model import RenderFormer, save_checkpoint
    from rfcli.scene import save
    from tests.support.dataset_sources import tiny_scene
    from tests.support.small_study import SMALL
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
    told = parser.parse_args()
    how = signal.SIGKILL if told.how == "kill" else signal.SIGINT
    with tempfile.TemporaryDirectory() as scratch:
        killer = Killer(commands(*inputs(Path(scratch)))[told.command], Path(scratch), how, told.seed)
        start = time.monotonic()
        killer.compare(told.kills, lambda counted: print(f"{told.command}: {dict(counted)}", flush=True))
    print(f"{told.command}: {dict(killer.counted)}, {time.monotonic() - start:.0f} s; no difference")
