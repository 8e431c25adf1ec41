"""Fifty kills, and fifty interrupts, at random moments of every long-running command."""

import signal
import sys
from pathlib import Path

import pytest

from tests.support.killed_commands import Killer, commands, inputs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals to groups of processes")


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
@pytest.mark.parametrize("name", ["gen-data", "train", "finetune", "video", "bench"])
def test_a_command_that_is_stopped_many_times_gives_the_same_result(
    tmp_path: Path, name: str, how: signal.Signals
) -> None:
    killer = Killer(commands(*inputs(tmp_path))[name], tmp_path, how)
    killer.compare(kills=50)
    assert killer.counts["ends"] > 2
