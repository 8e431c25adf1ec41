"""`rf doctor` on this machine, and on simulated machines without some libraries."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import rfcli
from rfcli.cli import doctor as module
from rfcli.cli.doctor import Finding
from tests.cli.conftest import Rf

NAMES = {
    "rf",
    "Python",
    "packages",
    "processor",
    "GPU",
    "bundled model",
    "attention",
    "path tracer",
    "denoiser",
    "OpenGL",
    "ffmpeg",
    "LPIPS weights",
    "OpenColorIO",
    "Hugging Face cache",
    "disk",
}


def test_text_and_receipt_have_all_findings(rf: Rf) -> None:
    result = rf("doctor", "--json")
    assert result.exit_code == 0
    receipt: dict[str, Any] = json.loads(result.stdout)
    findings = {finding["name"]: finding for finding in receipt["findings"]}
    assert findings.keys() == NAMES
    assert findings["rf"]["found"] == rfcli.__version__
    assert "Mitsuba 3" in findings["path tracer"]["found"]
    assert findings["denoiser"]["found"] == "Open Image Denoise"
    assert receipt["missing"] == [name for name, finding in findings.items() if finding["cost"]]
    for finding in findings.values():
        assert finding["found"] in result.stderr
        assert finding["cost"] in result.stderr
    assert str(Path.home()) + "/" not in result.stdout


def answers(code: int, stdout: str, stderr: str) -> Any:
    return lambda *arguments, **options: subprocess.CompletedProcess([], code, stdout, stderr)


@pytest.mark.parametrize("check", [module._path_tracer, module._denoiser, module._opengl, module._ffmpeg])
def test_a_library_that_fails_crashes_or_hangs_is_missing(monkeypatch: pytest.MonkeyPatch, check: Any) -> None:
    monkeypatch.setattr(subprocess, "run", answers(1, "", "Traceback\nImportError: no libEGL"))
    assert check().found == "fails: ImportError: no libEGL"
    assert check().missing
    monkeypatch.setattr(subprocess, "run", answers(-11, "", ""))
    assert check().found == "fails: ended with -11"
    monkeypatch.setattr(subprocess, "run", answers(0, "there\n", ""))
    assert check() == Finding(check().name, "there")

    def hang(*arguments: Any, **options: Any) -> None:
        raise subprocess.TimeoutExpired("python", 60)

    monkeypatch.setattr(subprocess, "run", hang)
    assert check().missing


def test_missing_weights_packages_and_disk_space_have_a_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfcli.metrics.perceptual.backbone_on_disk", lambda: None)
    assert "SSIM" in module._lpips().cost
    monkeypatch.setattr("rfcli.metrics.perceptual.backbone_on_disk", lambda: Path.home() / "v.pth")
    assert module._lpips() == Finding("LPIPS weights", "~/v.pth")
    monkeypatch.setattr(module, "_version", lambda name: "missing")
    assert "rfcli[aces]" in module._aces().cost
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1e6}))
    assert "--out" in module._disk().cost


def test_a_user_without_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert module._short(Path("/cache/hub")) == "/cache/hub"
