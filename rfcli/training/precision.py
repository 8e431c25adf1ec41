"""Which number format trains fastest here. Processors differ a hundredfold in bf16, so it is measured, not assumed."""

import time

import torch

SIZE = 1024
GAIN = 1.5  # bf16 must win by this factor to be worth its rounding


def fastest_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where a matrix product in it is clearly faster than in float32, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu":
        return torch.float32
    seconds = {dtype: _product_seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return torch.bfloat16 if seconds[torch.float32] > GAIN * seconds[torch.bfloat16] else torch.float32


def _product_seconds(dtype: torch.dtype) -> float:
    a = torch.ones(SIZE, SIZE, dtype=dtype)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return best
