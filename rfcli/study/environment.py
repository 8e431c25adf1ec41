"""The machine and the software of a study, which its numbers depend on."""

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


def environment(device: str, precisions: Sequence[str] = ("fp32",)) -> dict[str, Any]:
    """The facts needed to interpret or repeat the numbers; none of them identifies a person or a place.

    precisions: number formats of the view-independent stage that are measured.
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
    """The git commit of this package, with "+" if tracked files differ from it.

    It is that of the checkout the package runs from, or the one that pip installed it from. None if there is neither,
    as for a released version.
    """
    if (checkout / ".git").exists():
        return _commit_of_checkout(checkout)
    try:
        source = json.loads(distribution("rfcli").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, json.JSONDecodeError):
        return None
    return source.get("vcs_info", {}).get("commit_id")  # type: ignore[no-any-return]


def _commit_of_checkout(checkout: Path) -> str | None:
    def git(*words: str) -> str:
        command = ["git", "-C", str(checkout), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + "+" * bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None


def processor(device: str) -> str:
    """Name of the GPU or CPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
