"""Where to compute, and how much memory is there.

Which number format is fastest here. Processors differ a hundredfold in bf16, so it is measured, not assumed.
"""

import time

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


PROBE = 256  # sides of the matrices
SIZES = {"cpu": 1024, "cuda": 4096}  # on a graphics card a smaller product takes as long as its launch
GAIN = 1.5  # bf16 must win by this factor to be worth its rounding


def fastest_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where a matrix product in it is clearly faster than in float32, else float32.

    A small product comes first: where bf16 is emulated, it tells in milliseconds what the large one would in seconds.
    """
    if device.type not in SIZES or _gain(PROBE, device) < 1 / GAIN:
        return torch.float32
    return torch.bfloat16 if _gain(SIZES[device.type], device) > GAIN else torch.float32


def rounds_views(device: str) -> bool:
    """Whether training computes the view-dependent stage, too, in the fastest precision: on processors, where a small
    model has half of its products there. On graphics cards it stays in float32, as the published runs had it, for what
    it asks of directions and places; torch.set_float32_matmul_precision("high") lets them be tf32.
    """
    return device == "cpu"


def _gain(size: int, device: torch.device) -> float:
    """How many times faster a product of square matrices is in bf16 than in float32."""
    return _product_seconds(size, torch.float32, device) / _product_seconds(size, torch.bfloat16, device)


def _product_seconds(size: int, dtype: torch.dtype, device: torch.device) -> float:
    a = torch.ones(size, size, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(3):
        _finish(device)
        start = time.perf_counter()
        a @ a
        _finish(device)
        best = min(best, time.perf_counter() - start)
    return best


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
