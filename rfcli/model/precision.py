"""Which number format is fastest here. Processors differ a hundredfold in bf16, so it is measured, not assumed."""

import time

import torch

PROBE, SIZE = 256, 1024  # sides of the matrices
GAIN = 1.5  # bf16 must win by this factor to be worth its rounding


def fastest_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where a matrix product in it is clearly faster than in float32, else float32.

    A small product comes first: where bf16 is emulated, it tells in milliseconds what the large one would in seconds.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu" or _gain(PROBE) < 1 / GAIN:
        return torch.float32
    return torch.bfloat16 if _gain(SIZE) > GAIN else torch.float32


def _gain(size: int) -> float:
    """How many times faster a product of square matrices is in bf16 than in float32."""
    return _product_seconds(size, torch.float32) / _product_seconds(size, torch.bfloat16)


def _product_seconds(size: int, dtype: torch.dtype) -> float:
    a = torch.ones(size, size, dtype=dtype)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return best
