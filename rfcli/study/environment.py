"""The machine that a study ran on: without it, its numbers mean nothing."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import rfcli
from rfcli.study.variants import FP32


def environment(device: str, precisions: Sequence[str] = (FP32,)) -> dict[str, Any]:
    """What a reader needs to judge or repeat the numbers. Nothing that names a person or a place.

    precisions: that are measured, of the view-independent stage.
    """
    return {
        "processor": processor(device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device == "cuda" else None,
        "rf": rfcli.__version__,
        "precision": " and ".join(dict.fromkeys(precisions)),
    }


def processor(device: str) -> str:
    """The name of the GPU or CPU that does the work."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
