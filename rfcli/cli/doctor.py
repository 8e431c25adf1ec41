"""`rf doctor`: versions, devices, libraries, caches and disk of this machine, for bug reports."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import rfcli
from rfcli.cli.console import Console
from rfcli.cli.options import Json, Quiet, Verbose

PACKAGES = ("torch", "torchvision", "numpy", "mitsuba", "pyoidn", "trimesh", "h5py", "safetensors", "typer", "pydantic")
MIN_FREE_DISK = 5e9  # bytes: a dataset of default size, a training run and some pictures
MAX_CHECK_SECONDS = 60  # after which the check of a library counts as failed
NAME_WIDTH = 18  # characters


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: Name of the check.
        found: Version, size or error.
        cost: Features that are missing without it, and how to install it; "" = nothing is missing.
    """

    name: str
    found: str
    cost: str = ""

    @property
    def missing(self) -> bool:
        return bool(self.cost)


def diagnose() -> Iterator[Finding]:
    """All checks, one after another; those of libraries take seconds. Paths show the home folder as `~`."""
    yield Finding("rf", rfcli.__version__)
    yield Finding("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    yield Finding("packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    yield _memory()
    for check in (_device, _model, _attention, _path_tracer, _denoiser, _opengl, _ffmpeg, _lpips, _aces, _hub, _disk):
        yield check()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available / 1e9, memory.total / 1e9
    return Finding("processor", f"{os.cpu_count()} cores; {free:.1f} of {total:.1f} GB of memory free")


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        return Finding("GPU", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB, CUDA {torch.version.cuda}")
    if torch.backends.mps.is_available():
        return Finding("GPU", "Apple (mps)")
    return Finding("GPU", "none", "training takes hours instead of minutes; the bundled model needs no GPU")


def _model() -> Finding:
    model = rfcli.load_model("tiny", device="cpu")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Finding("bundled model", f"{parameters / 1e6:.1f} M parameters")


def _attention() -> Finding:
    from rfcli.attention import mechanisms, names

    loaded = {mechanism.name: mechanism.cost for mechanism in mechanisms()}
    broken = [name for name in names() if name not in loaded]
    found = ", ".join(f"{name} ({cost})" for name, cost in loaded.items())
    cost = f"no --attention {', '.join(broken)}: the package cannot be loaded; update or remove it" if broken else ""
    return Finding("attention", found, cost)


def _path_tracer() -> Finding:
    return _trial(
        "path tracer",
        "import mitsuba; mitsuba.set_variant('scalar_rgb'); print('Mitsuba', mitsuba.__version__)",
        "no rf gen-data and no --compare truth; pip install --force-reinstall mitsuba",
    )


def _denoiser() -> Finding:
    return _trial(
        "denoiser",
        "import numpy as np; from rfcli.truth.denoise import denoised; denoised(np.ones((8, 8, 3), np.float32), 1); "
        "print('Open Image Denoise')",
        "rf gen-data needs --no-denoise and about 8 times --spp; pip install --force-reinstall pyoidn",
    )


def _opengl() -> Finding:
    return _trial(
        "OpenGL",
        "from rfcli.truth.raster_preview import load_pyrender; p = load_pyrender(); "
        "r = p.OffscreenRenderer(8, 8); r.delete(); print('off screen')",
        "no --preview; on Debian: apt install libegl1 libgl1-mesa-dri",
    )


def _ffmpeg() -> Finding:
    return _trial(
        "ffmpeg",
        "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_version())",
        "no videos (--camera-orbit, --turntable-light); pip install imageio-ffmpeg",
    )


def _lpips() -> Finding:
    from rfcli.metrics.perceptual import BACKBONE, backbone_on_disk

    path = backbone_on_disk()
    cost = (
        "training uses SSIM instead, and --compare has no LPIPS; 528 MB, once: "
        "python -c \"import torchvision as t; t.models.vgg16(weights='IMAGENET1K_V1')\""
    )
    return Finding("LPIPS weights", _short(path)) if path else Finding("LPIPS weights", f"no {BACKBONE}", cost)


def _aces() -> Finding:
    found = _version("opencolorio")
    return Finding("OpenColorIO", found, "no --tone-mapping aces; pip install 'rfcli[aces]'" * (found == "missing"))


def _hub() -> Finding:
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_OFFLINE

    models = sorted(path.name.removeprefix("models--") for path in Path(HF_HUB_CACHE).glob("models--*"))
    names = ", ".join(name.replace("--", "/") for name in models) or "no models"
    return Finding(
        "Hugging Face cache", f"{_short(Path(HF_HUB_CACHE))}: {names}{'; offline' if HF_HUB_OFFLINE else ''}"
    )


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    found = f"{free / 1e9:,.1f} GB free in the current folder"
    if not os.access(Path.cwd(), os.W_OK):
        return Finding("disk", found + ", not writable", "every command needs --out FOLDER")
    return Finding("disk", found, "a dataset may not fit; give --out FOLDER on another disk" * (free < MIN_FREE_DISK))


def _trial(name: str, code: str, cost: str) -> Finding:
    """Run code in a separate process, because an incompatible driver ends the process without an exception."""
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    try:
        done = run([sys.executable, "-c", code], capture_output=True, text=True, timeout=MAX_CHECK_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Finding(name, f"no answer in {MAX_CHECK_SECONDS} s", cost)
    if done.returncode == 0:
        return Finding(name, done.stdout.strip())
    reason = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    return Finding(name, f"fails: {reason[:200]}", cost)


def _short(path: Path) -> str:
    """The path with the home folder as ~, without the user's name; unchanged if there is no home folder."""
    try:
        home = Path.home()
    except RuntimeError:  # without HOME, for a user without an entry in the system's list, as in containers
        return str(path)
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def doctor(json: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Check versions, devices, libraries, caches and disk; say which features are missing.

    Paste the output into a bug report. It contains no name of a user or machine.

    Example: rf doctor --json
    """
    with Console("doctor", json=json, quiet=quiet, verbose=verbose) as console:
        findings = []
        for finding in diagnose():
            findings.append(finding)
            console.print(f"{finding.name:{NAME_WIDTH}} {finding.found}")
            if finding.missing:
                console.print(f"{'':{NAME_WIDTH}} without it: {finding.cost}")
        missing = [finding.name for finding in findings if finding.missing]
        console.print(f"Missing: {', '.join(missing)}." if missing else "Nothing is missing.")
        console.receipt("cpu", [], findings=findings, missing=missing)
