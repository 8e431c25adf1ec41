"""Two processes that take half of each batch are one process that takes it whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rfcli.training import loop
from rfcli.training.loop import fit
from rfcli.training.processes import ALONE, Processes, join
from rfcli.training.state import states
from tests.training.scenes import Silent, fresh_model, options, training_data

STEPS = 6


@pytest.mark.parametrize(("scenes", "count"), [(4, 2), (5, 2), (1, 3), (7, 1)])
def test_shares_add_up_to_the_batch(scenes: int, count: int) -> None:
    shares = [Processes(rank, count).share(scenes) for rank in range(count)]
    assert sorted(place for places, share in shares if share for place in places) == list(range(scenes))
    assert sum(share for _, share in shares) == pytest.approx(1)
    assert all(len(places) for places, _ in shares)


def train(out: Path, batch: int, processes: Processes) -> None:
    """Six steps over five scenes: the last batch of each epoch is not full."""
    loop.fastest_precision = lambda device: torch.float32
    told = options(out, steps=STEPS, batch=batch, validate_every=STEPS)
    watch = Silent()
    fit(fresh_model(), training_data(), told, watch, processes=processes)
    if processes.first:
        (out / "losses.json").write_text(json.dumps(watch.losses))


def test_two_processes_are_one_at_twice_the_batch(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    module = ["-m", "tests.training.test_processes", str(tmp_path / "two")]
    ended = subprocess.run([*command, *module], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    train(tmp_path / "one", 4, ALONE)
    one, two = (json.loads((tmp_path / name / "losses.json").read_text()) for name in ("one", "two"))
    assert len(one) == STEPS
    assert two == pytest.approx(one, rel=1e-5)
    ours, theirs = (torch.load(states(tmp_path / name)[-1], weights_only=True)["weights"] for name in ("one", "two"))
    start = fresh_model().state_dict()
    moved = sum((value - start[name]).square().sum() for name, value in ours.items()) ** 0.5
    apart = sum((value - theirs[name]).square().sum() for name, value in ours.items()) ** 0.5
    assert apart < 1e-3 * moved  # AdamW makes a step of the rate of the smallest gradients, and of their rounding


if __name__ == "__main__":
    train(Path(sys.argv[1]), 2, join())
