"""Memory of training: the same for 200 scenes as for 20,000, and small for a manifest of two million."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rfcli.dataset.manifest import MANIFEST, read_manifest
from tests.support.training_datasets import write_dataset

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="resident memory is measured as on Linux"),
]
TWO_MILLION = 2_000_000

TRAIN = """
import json, sys
from pathlib import Path
import psutil, torch
from rfcli.runtime.memory import peak_resident_bytes
from rfcli.training import loop
from rfcli.training.scenes import read_dataset
from tests.support.training_scenes import RecordingCallbacks, fresh_model, train_options

torch.set_num_threads(1)
folder, out, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
shared = []

class Measuring(RecordingCallbacks):
    def on_step(self, step, losses):
        if step == 100:
            for child in psutil.Process().children():
                shared.append(child.memory_full_info().uss)

options = train_options(out, data=folder, steps=110, batch=4, workers=workers, validate_every=100)
model = fresh_model(visibility="first-hit")
data = read_dataset(folder, options.curriculum, model.config)
loop.fit(model, data, options, Measuring())
print(json.dumps([len(data.train), peak_resident_bytes() + sum(shared)]))
"""


def linked_dataset(folder: Path, scenes: int) -> Path:
    """A dataset of hard links to the files of 16 scenes."""
    write_dataset(folder, 16)
    lines = (folder / MANIFEST).read_text().splitlines()
    with (folder / MANIFEST).open("a") as manifest:
        for index in range(16, scenes):
            entry = json.loads(lines[index % 16])
            file = f"scenes/{index:06d}.h5"
            os.link(folder / entry["file"], folder / file)
            manifest.write(json.dumps({**entry, "index": index, "file": file}) + "\n")
    return folder


@pytest.mark.parametrize("workers", [0, 2])
def test_training_on_20_000_scenes_takes_the_memory_of_200(tmp_path: Path, workers: int) -> None:
    found = []
    for scenes in (200, 20_000):
        folder = linked_dataset(tmp_path / f"{scenes}-{workers}", scenes)
        run = subprocess.run(
            [sys.executable, "-c", TRAIN, str(folder), str(tmp_path / f"run-{scenes}-{workers}"), str(workers)],
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        found.append(json.loads(run.stdout))
    (few, small), (many, large) = found
    assert (few, many) == (200 - 13, 20_000 - 1250)
    assert large < 1.1 * small, f"{small / 1e6:.0f} MB, then {large / 1e6:.0f} MB"


OPEN = """
import json, sys, time
import numpy as np
from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.streaming import pack_offsets
from rfcli.runtime.memory import peak_resident_bytes

start = time.process_time()
manifest = read_manifest(sys.argv[1])
opened = time.process_time() - start
chosen = np.flatnonzero((manifest.triangles >= 300) & (manifest.triangles <= 400))
offsets = pack_offsets(manifest)
print(json.dumps([len(manifest), opened, time.process_time() - start, len(chosen), peak_resident_bytes()]))
"""


def test_a_manifest_of_two_million_scenes(tmp_path: Path) -> None:
    with (tmp_path / MANIFEST).open("w") as file:
        for index in range(TWO_MILLION):
            file.write(
                f'{{"index": {index}, "file": "packs/{index // 1000 * 1000:06d}.tar/{index:06d}.h5", "seed": 0, '
                f'"triangles": {256 + index % 1281}, "views": 4, "bytes": {250_000 + index % 9999}, '
                f'"sha256": "{index:064x}", "rejected": {{"unlit": {index % 3}, "empty": {index % 2}}}}}\n'
            )
    run = subprocess.run([sys.executable, "-c", OPEN, str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    count, opened, seconds, chosen, memory = json.loads(run.stdout)
    assert count == TWO_MILLION
    assert chosen == sum(300 <= 256 + index % 1281 <= 400 for index in range(TWO_MILLION))
    assert opened < 15, f"{opened:.1f} s of processor time"
    assert seconds < 20
    assert memory < 1.5e9, f"{memory / 1e6:.0f} MB"


def test_unusual_lines_give_the_same_entries(tmp_path: Path) -> None:
    """Lines with other spaces or without rejections are parsed one by one, beside blocks of usual lines."""
    folder = linked_dataset(tmp_path / "data", 2500)
    expected = list(read_manifest(folder))
    lines = (folder / MANIFEST).read_text().splitlines()
    lines[1700] = json.dumps(json.loads(lines[1700]), indent=None, separators=(",", ":"))
    (folder / MANIFEST).write_text("\n".join(reversed(lines)) + "\n")
    assert list(read_manifest(folder)) == expected
