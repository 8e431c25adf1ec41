"""Peak memory of a process, measured in processes of known use."""

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
def test_peak_is_the_memory_in_use_at_once_without_earlier_use(before: int, during: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(before=before, during=during)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == pytest.approx(4 * during * 2**20, rel=0.1)
