"""The machine that a study ran on: without it, its numbers mean nothing."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch

import rfcli
from rfcli.study.settings import FP32


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
        "commit": commit(Path(rfcli.__file__).parents[1]),
        "precision": " and ".join(dict.fromkeys(precisions)),
    }


def commit(checkout: Path) -> str | None:
    """Of our code: that of the git checkout it runs from, with "+" where files differ from it, or that which pip
    installed it from; None where neither is known, as in a released version."""
    if (checkout / ".git").exists():
        return _git(checkout)
    try:
        source = json.loads(distribution("rfcli").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, json.JSONDecodeError):
        return None
    return source.get("vcs_info", {}).get("commit_id")  # type: ignore[no-any-return]


def _git(checkout: Path) -> str | None:
    def ask(*words: str) -> str:
        command = ["git", "-C", str(checkout), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return ask("rev-parse", "HEAD") + "+" * bool(ask("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None


def processor(device: str) -> str:
    """The name of the GPU or CPU that does the work."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
