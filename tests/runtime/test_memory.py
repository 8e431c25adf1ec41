import subprocess
import sys

import pytest

PROBE = """
import torch
from rfcli.runtime.memory import PeakMemory
before = torch.ones({before} * 2**20)
del before
peak = PeakMemory(torch.device("cpu"))
arrays = [torch.ones({during} * 2**18) for _ in range(4)]
del arrays
print(peak.bytes())
"""


@pytest.mark.parametrize(("before", "during"), [(0, 32), (200, 32), (0, 128)])
def test_peak_counts_memory_held_at_once_but_not_memory_held_before(before: int, during: int) -> None:
    probe = [sys.executable, "-c", PROBE.format(before=before, during=during)]
    done = subprocess.run(probe, capture_output=True, text=True, check=True)
    assert int(done.stdout) == pytest.approx(4 * during * 2**20, rel=0.1)
