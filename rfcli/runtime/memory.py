"""Peak memory: of a piece of work on a device, and of this process."""

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # of Linux


class PeakMemory:
    """Peak memory of the work done since this object was created, above what was in use before.

    CPU: the peak resident memory of the whole process, so the work should have a process of its own. CUDA: the peak of
    torch's allocator. Other devices do not report a peak.
    """

    def __init__(self, device: "torch.device") -> None:
        self._device = device
        if device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)
        else:
            _reset_peak()
            self._before = _status_bytes("VmRSS") or peak_resident_bytes()

    def bytes(self) -> int | None:
        """Bytes above the state when this object was created; None if the device does not report a peak."""
        if self._device.type == "cuda":
            import torch

            return int(torch.cuda.max_memory_allocated(self._device)) - self._before
        return peak_resident_bytes() - self._before if self._device.type == "cpu" else None


def peak_bytes(device: "torch.device") -> int:
    """Peak memory of this process so far: allocated on a CUDA device, resident for others."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    return peak_resident_bytes()


def peak_resident_bytes() -> int:
    """Peak resident memory of this process so far; on Linux since the last `PeakMemory` was created."""
    # On Linux a child inherits its parent's peak in getrusage, but not in VmHWM.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _status_bytes("VmHWM") or peak * (1 if sys.platform == "darwin" else 1024)


def _status_bytes(field: str) -> int | None:
    """A memory field of /proc/self/status; None if there is no such file."""
    if not STATUS.exists():
        return None
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def _reset_peak() -> None:
    """Reset the process's peak to its present size, if the kernel allows it."""
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return
