"""The most memory that a piece of work holds, above what was held before it began."""

import resource
import sys
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """CPU: the process's high-water mark of resident memory. CUDA: the allocator's. Other devices keep no such mark.

    The mark belongs to the whole process, so that the work should have a process of its own.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.before = torch.cuda.memory_allocated(device)
        else:
            _reset_mark()
            self.before = _status("VmRSS") or high_water()

    def bytes(self) -> int | None:
        """Bytes above the state when this object was made."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device)) - self.before
        return high_water() - self.before if self.device.type == "cpu" else None


def high_water() -> int:
    """The process's largest resident memory so far, in bytes; on Linux since `PeakMemory` last began."""
    # Linux hands the parent's mark down to getrusage of a child, but not to the child's VmHWM.
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _status("VmHWM") or usage * (1 if sys.platform == "darwin" else 1024)


def _status(field: str) -> int | None:
    """A memory field of /proc/self/status in bytes; None where there is no such file."""
    if not STATUS.exists():
        return None
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def _reset_mark() -> None:
    """Let the high-water mark start anew at the present size, where the kernel lets us."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return
