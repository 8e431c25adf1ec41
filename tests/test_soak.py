"""Soak tests: memory and time stay constant over 1,000 renders, 5,000 generated scenes and 200,000 manifest lines."""

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

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="resident memory is measured as on Linux")

RENDERS, WARM_UP = 1000, 200
GENERATED_SCENES = 5000
MANIFEST_LINES = 200_000


@pytest.mark.long
def test_memory_is_constant_over_a_thousand_renders(rf: Rf, model: Path, scene: Path) -> None:  # noqa: F811
    """Each render is the whole command: reads scene and model, writes two pictures, a sheet and a receipt."""
    process, resident = psutil.Process(), []
    for _ in range(RENDERS):
        result = rf("render", scene, "--model", model, "--resolution", 16, "--device", "cpu", "--json")
        assert result.exit_code == 0, result.stderr
        resident.append(process.memory_info().rss)
    first, last = median(resident[WARM_UP : 2 * WARM_UP]), median(resident[-WARM_UP:])
    assert last / first - 1 < 0.02, f"{first / 1e6:.0f} MB, then {last / 1e6:.0f} MB"


def generate(folder: Path, scenes: int) -> tuple[list[float], list[int]]:
    """Run `rf gen-data` with one worker.

    Returns the seconds between successive scenes, and the resident bytes of the worker, sampled every second.
    """
    command = [sys.executable, "-c", "from rfcli.cli.app import main; main()", "gen-data", "--scenes", str(scenes)]
    tiny = ["--views", "1", "--resolution", "8", "--spp", "1", "--triangles", "128-256", "--no-denoise"]
    resident: list[int] = []
    with subprocess.Popen(
        [*command, *tiny, "--workers", "1", "--quiet", "--out", str(folder)], stderr=subprocess.PIPE, text=True
    ) as run:
        while run.poll() is None:
            time.sleep(1)
            children = psutil.Process(run.pid).children() if run.poll() is None else []
            resident += [child.memory_info().rss for child in children if "--multiprocessing-fork" in child.cmdline()]
        assert run.returncode == 0, run.stderr and run.stderr.read()
    written = [(folder / entry.file).stat().st_mtime for entry in read_manifest(folder)]
    return np.diff(written).tolist(), resident


@pytest.mark.long
def test_time_and_memory_are_constant_over_five_thousand_scenes(tmp_path: Path) -> None:
    seconds, resident = generate(tmp_path / "data", GENERATED_SCENES)
    fifth = len(seconds) // 5
    assert median(seconds[-fifth:]) < 1.1 * median(seconds[:fifth])
    fifth = len(resident) // 5
    assert median(resident[-fifth:]) < 1.1 * median(resident[fifth : 2 * fifth])


READ_MANIFEST = """
import json, sys, time
from pathlib import Path
import torch
from rfcli.dataset.manifest import MANIFEST, read_manifest
from rfcli.runtime.memory import PeakMemory

def parse_only():
    for line in Path(sys.argv[1], MANIFEST).open("rb"):
        json.loads(line)

def seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start

peak = PeakMemory(torch.device("cpu"))
entries = read_manifest(sys.argv[1])
found, entries = [len(entries), entries[-1].index], None
reading = min(seconds(lambda: read_manifest(sys.argv[1])) for _ in range(3))
parsing = min(seconds(parse_only) for _ in range(3))
print(json.dumps([*found, reading, parsing, peak.bytes()]))
"""


@pytest.mark.slow
def test_manifest_of_200_000_scenes_is_read_in_seconds(tmp_path: Path) -> None:
    with (tmp_path / MANIFEST).open("w") as file:
        for index in range(MANIFEST_LINES):
            file.write(
                f'{{"index": {index}, "file": "scenes/{index:06d}.h5", "seed": 0, "triangles": {256 + index % 1281}, '
                f'"views": 4, "bytes": {250_000 + index}, "sha256": "{index:064x}", '
                f'"rejected": {{"unlit": {index % 3}, "empty": {index % 2}}}}}\n'
            )
    run = subprocess.run(
        [sys.executable, "-c", READ_MANIFEST, str(tmp_path)], capture_output=True, text=True, check=True
    )
    count, last, seconds, parsing, memory = json.loads(run.stdout)
    assert (count, last) == (MANIFEST_LINES, MANIFEST_LINES - 1)
    assert seconds < max(2, 3.5 * parsing)  # processor time; relative to parsing the JSON on slow or busy machines
    assert memory < 200e6
