"""Much of the same: a thousand pictures, five thousand scenes made, two hundred thousand read. Nothing grows."""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import pytest

from rfcli.dataset.manifest import MANIFEST, read_manifest
from tests.cli.conftest import Rf, model, rf, scene  # noqa: F401

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="resident memory as Linux counts it")

RENDERS, WARM = 1000, 200
MADE = 5000
LISTED = 200_000


@pytest.mark.long
def test_a_thousand_renders_in_one_process_take_no_more_memory(rf: Rf, model: Path, scene: Path) -> None:  # noqa: F811
    """The whole command each time: scene and model read, two pictures, a sheet, a receipt."""
    process, held = psutil.Process(), []
    for _ in range(RENDERS):
        result = rf("render", scene, "--model", model, "--resolution", 16, "--device", "cpu", "--json")
        assert result.exit_code == 0, result.stderr
        held.append(process.memory_info().rss)
    first, last = median(held[WARM : 2 * WARM]), median(held[-WARM:])
    assert last / first - 1 < 0.02, f"{first / 1e6:.0f} MB, then {last / 1e6:.0f} MB"


def made_one_by_one(folder: Path, scenes: int) -> tuple[list[float], list[int]]:
    """Seconds between one scene and the next of `rf gen-data` with one worker, and the bytes that the worker held
    while they were made, now and then."""
    command = [sys.executable, "-c", "from rfcli.cli.app import main; main()", "gen-data", "--scenes", str(scenes)]
    tiny = ["--views", "1", "--resolution", "8", "--spp", "1", "--triangles", "128-256", "--no-denoise"]
    held: list[int] = []
    with subprocess.Popen(
        [*command, *tiny, "--workers", "1", "--quiet", "--out", str(folder)], stderr=subprocess.PIPE, text=True
    ) as run:
        while run.poll() is None:
            time.sleep(1)
            children = psutil.Process(run.pid).children() if run.poll() is None else []
            held += [child.memory_info().rss for child in children if "--multiprocessing-fork" in child.cmdline()]
        assert run.returncode == 0, run.stderr and run.stderr.read()
    moments = [(folder / entry.file).stat().st_mtime for entry in read_manifest(folder)]
    return np.diff(moments).tolist(), held


@pytest.mark.long
def test_the_last_of_five_thousand_scenes_take_no_longer_than_the_first(tmp_path: Path) -> None:
    seconds, held = made_one_by_one(tmp_path / "data", MADE)
    fifth = len(seconds) // 5
    assert median(seconds[-fifth:]) < 1.1 * median(seconds[:fifth])
    fifth = len(held) // 5
    assert median(held[-fifth:]) < 1.1 * median(held[fifth : 2 * fifth])


OPENING = """
import json, sys, time
from pathlib import Path
import torch
from rfcli.dataset.manifest import MANIFEST, read_manifest
from rfcli.study.measure.memory import PeakMemory

def parse():
    for line in Path(sys.argv[1], MANIFEST).open("rb"):
        json.loads(line)

def seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start

peak = PeakMemory(torch.device("cpu"))
entries = read_manifest(sys.argv[1])
found, entries = [len(entries), entries[-1].index], None
ours, bare = map(min, zip(*((seconds(lambda: read_manifest(sys.argv[1])), seconds(parse)) for _ in range(3))))
print(json.dumps([*found, ours, bare, peak.bytes()]))
"""


def test_a_manifest_of_two_hundred_thousand_scenes_opens_at_once(tmp_path: Path) -> None:
    with (tmp_path / MANIFEST).open("w") as file:
        for index in range(LISTED):
            file.write(
                f'{{"index": {index}, "file": "scenes/{index:06d}.h5", "seed": 0, "triangles": {256 + index % 1281}, '
                f'"views": 4, "bytes": {250_000 + index}, "sha256": "{index:064x}", '
                f'"rejected": {{"unlit": {index % 3}, "empty": {index % 2}}}}}\n'
            )
    run = subprocess.run([sys.executable, "-c", OPENING, str(tmp_path)], capture_output=True, text=True, check=True)
    count, last, seconds, parsing, memory = json.loads(run.stdout)
    assert (count, last) == (LISTED, LISTED - 1)
    assert seconds < max(2, 3.5 * parsing)  # of the processor; beside the bare JSON, as a machine may be slow or busy
    assert memory < 200e6
