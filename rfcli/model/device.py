"""Where to compute, and how much memory is there."""

import psutil
import torch

from rfcli.errors import InputError


def pick_device(name: str) -> torch.device:
    """auto (CUDA, else Apple's GPU, else the CPU), cpu, cuda or mps.

    Raises InputError for another name or a device that this machine does not have.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if name not in available:
        raise InputError(f"--device {name} is not known; use auto, cpu, cuda or mps.")
    if not available[name]:
        raise InputError(f"--device {name} is not available on this machine; use --device cpu.")
    return torch.device(name)


def free_bytes(device: torch.device) -> int:
    """Memory at hand on the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
