"""The code executes no content of files, opens no unexpected connections, and leaves no files that others can read."""

import ast
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NoReturn

import pytest
from packaging.requirements import Requirement

from tests.cli.conftest import Rf, rf  # noqa: F401
from tests.support.killed_commands import commands, inputs

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "rfcli").rglob("*.py"), *(ROOT / "examples").rglob("*.py")])
REFUSED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "telnetlib", "ftplib"}
REFUSED_CALLS = {"eval", "exec", "compile", "__import__"}
REFUSED_ATTRIBUTES = {
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "tempfile.mktemp",
    "torch.jit.load",
}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with its name: `f` or `module.f`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def option(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == name), None)


def unsafe_calls(source: str) -> list[str]:
    """Calls and imports in a source file that can execute the content of another file."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [f"import {alias.name}" for alias in node.names if alias.name.split(".")[0] in REFUSED_MODULES]
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in REFUSED_MODULES:
            found.append(f"from {node.module}")
    for name, call in calls(tree):
        if name in REFUSED_CALLS or name in REFUSED_ATTRIBUTES:
            found.append(name)
        if name == "torch.load" and option(call, "weights_only") != "True":
            found.append("torch.load without weights_only=True")
        if name in ("np.load", "numpy.load") and option(call, "allow_pickle") not in (None, "False"):
            found.append("np.load with pickle")
        if option(call, "shell") == "True":
            found.append(f"{name} with a shell")
        if option(call, "allow_remote") == "True":
            found.append(f"{name} from remote")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_content_of_files_is_executed(path: Path) -> None:
    assert unsafe_calls(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "import torch\ntorch.load('x')",
        "torch.load('x', weights_only=False)",
        "np.load('x', allow_pickle=True)",
        "yaml.load(text)",
        "subprocess.run('ls', shell=True)",
    ],
)
def test_the_search_finds_unsafe_calls(source: str) -> None:
    assert unsafe_calls(source)


def test_rendering_a_local_scene_opens_no_connection(rf: Rf, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError(f"connected to {arguments}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    box = ROOT / "examples" / "cornell-box.json"
    for command in (["render", box, "--resolution", "16", "--device", "cpu"], ["render", box, "--show-scene"]):
        result = rf(*command)
        assert result.exit_code == 0, result.stderr


AUDIT_CONNECTIONS = """
import os, sys

def note(event, arguments):
    if event == "socket.getaddrinfo" or (event in ("socket.connect", "socket.sendto") and type(arguments[1]) is tuple):
        with open(os.environ["CALLS"], "a") as file:
            print(event, arguments, file=file)

sys.addaudithook(note)
"""


@pytest.mark.long
@pytest.mark.parametrize("name", ["gen-data", "train", "finetune", "video", "bench", "doctor"])
def test_no_process_of_any_command_opens_a_connection(tmp_path: Path, name: str) -> None:
    """An audit hook, installed in all processes that a command starts, sees every connection."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(AUDIT_CONNECTIONS)
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "CALLS": str(tmp_path / "calls")}
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert "socket.connect" in (tmp_path / "calls").read_text()
    (tmp_path / "calls").unlink()
    arguments = ["doctor"]
    if name != "doctor":
        arguments = [*commands(*inputs(tmp_path))[name].arguments, "--out", str(tmp_path / "out")]
    program = [sys.executable, "-c", "from rfcli.cli.app import main; main()"]
    subprocess.run([*program, *arguments], check=True, capture_output=True, env=environment)
    assert not (tmp_path / "calls").exists(), (tmp_path / "calls").read_text()


def test_temporary_files_are_private() -> None:
    """Only functions of tempfile with unpredictable names and files that others cannot read are used."""
    private = {"tempfile.mkdtemp", "tempfile.mkstemp", "tempfile.TemporaryDirectory", "tempfile.NamedTemporaryFile"}
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        assert '"/tmp' not in source, path
        assert {name for name, _ in calls(ast.parse(source)) if name.startswith("tempfile.")} <= private, path


# Licences of packages that a work under MIT may use, by their SPDX names and as packages write them.
COMPATIBLE = re.compile(
    r"MIT|MIT-0|MIT-CMU|HPND|0?BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|CC0|BSL-1\.0|MPL-2\.0|Unlicense|Kiwi"
)
INCOMPATIBLE = re.compile(r"\bA?GPL|Proprietary|Commercial|SSPL|CC-BY-NC", re.IGNORECASE)
# Licences of packages without this metadata, from their project pages.
KNOWN_LICENCES = {
    "openexr": "BSD-3-Clause",
    "embreex": "BSD-2-Clause",
    "pyglet": "BSD-3-Clause",
    "cuda-toolkit": "see NVIDIA",
}
# NVIDIA's libraries come with CUDA builds of torch: free of charge, but not free software. They are no part of rf, and
# CPU builds of torch do not need them.
NVIDIA = re.compile(r"nvidia-|cuda-")


def dependencies() -> dict[str, Distribution]:
    """All direct and indirect dependencies of rfcli, as installed here."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    todo = [Requirement(text) for text in project["dependencies"]]
    found: dict[str, Distribution] = {}
    while todo:
        requirement = todo.pop()
        name = requirement.name.lower().replace("_", "-")
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            assert requirement.name not in project["dependencies"], f"{name} is not installed"
            continue
        if name in found:
            continue
        found[name] = installed
        needed = [Requirement(text) for text in installed.requires or []]
        extras = requirement.extras or {""}
        todo += [r for r in needed if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in extras)]
    return found


def licence(package: Distribution) -> str:
    """The licence in the package's metadata, from the most exact field that is present."""
    metadata = package.metadata
    classifiers = [text.split(" :: ")[-1] for text in metadata.get_all("Classifier") or [] if "License ::" in text]
    written = (metadata.get("License") or "").strip().split("\n")[0]
    return metadata.get("License-Expression") or ", ".join(classifiers) or written


def test_every_dependency_has_a_licence_compatible_with_mit() -> None:
    packages = dependencies()
    assert len(packages) > 30
    for name, package in sorted(packages.items()):
        text = KNOWN_LICENCES.get(name) or licence(package)
        if NVIDIA.match(name):
            continue
        assert COMPATIBLE.search(text), f"{name}: {text!r}"
        assert not INCOMPATIBLE.search(text), f"{name}: {text!r}"
