"""The compute device: choice, free memory, synchronisation, and the faster number format."""

import time

import psutil
import torch

from rfcli.errors import InputError

PROBE_SIZE = 256  # side of the matrices of the first, quick measurement
PRODUCT_SIZE = {"cpu": 1024, "cuda": 4096}  # side of those of the second; smaller products on a GPU time its launch
MIN_SPEEDUP = 1.5  # bf16 must be faster by this factor to be worth its rounding


def pick_device(device: str) -> torch.device:
    """Chooses a device by name.

    Args:
        device: "cpu", "cuda", "mps", or "auto" for CUDA if available, else Apple's GPU, else the CPU.

    Returns:
        The device.

    Raises:
        InputError: The name is unknown, or this machine has no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(kind for kind, present in available.items() if present)
    if device not in available:
        raise InputError(f"`device` {device!r} is not known; use 'auto', 'cpu', 'cuda' or 'mps'.")
    if not available[device]:
        raise InputError(f"`device` {device!r} is not available on this machine; use 'cpu'.")
    return torch.device(device)


def free_bytes(device: torch.device) -> int:
    """Free memory of the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def synchronize(device: torch.device) -> None:
    """Waits until the device has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def synchronized_time(device: torch.device) -> float:
    """Seconds of a monotonic clock after the device has finished all queued work."""
    synchronize(device)
    return time.perf_counter()


def fastest_precision(device: torch.device) -> torch.dtype:
    """bfloat16 if a matrix product in it is clearly faster than in float32, else float32.

    The speed of bf16 varies 100-fold between processors, so it is measured. A small product is timed first: where bf16
    is emulated it takes milliseconds, and the large product would take seconds.
    """
    if device.type not in PRODUCT_SIZE or _bf16_speedup(PROBE_SIZE, device) < 1 / MIN_SPEEDUP:
        return torch.float32
    return torch.bfloat16 if _bf16_speedup(PRODUCT_SIZE[device.type], device) > MIN_SPEEDUP else torch.float32


def _bf16_speedup(size: int, device: torch.device) -> float:
    """Seconds of a product of square matrices in float32 over those in bf16."""
    return _product_seconds(size, torch.float32, device) / _product_seconds(size, torch.bfloat16, device)


def _product_seconds(size: int, dtype: torch.dtype, device: torch.device) -> float:
    a = torch.ones(size, size, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(3):
        start = synchronized_time(device)
        a @ a
        best = min(best, synchronized_time(device) - start)
    return best
