"""Docstrings of everything that a package offers, and options that texts mention."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import DOCUMENTS, ROOT, options_of_rf

PACKAGES = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for path in (ROOT / "rfcli").rglob("__init__.py")
    if path.parent.name != "weights"
)
SECTION = r"^{}:\n((?:    .*\n|\n)+)"


def offered() -> Iterator[tuple[str, Any]]:
    """Functions and classes in the `__all__` of a package, by their full names, each once."""
    seen = set()
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if (inspect.isfunction(value) or inspect.isclass(value)) and id(value) not in seen:
                seen.add(id(value))
                yield f"{package}.{name}", value


OFFERED = dict(offered())


def section(docstring: str, title: str) -> str | None:
    """The indented text below a title such as `Args:`; None if there is no such section."""
    match = re.search(SECTION.format(title), docstring + "\n", re.MULTILINE)
    return match and match[1]


def documented(text: str | None) -> set[str]:
    """The names that a section describes, one per line `name: description`; `a, b: description` are two."""
    lines = re.findall(r"^    (\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:", text or "", re.MULTILINE)
    return {name.lstrip("*") for line in lines for name in line.split(", ")}


def own_fields(value: type) -> set[str]:
    """Public fields that a dataclass declares itself, without those whose metadata have a help text."""
    declared = vars(value).get("__annotations__", {})
    fields = [field for field in dataclasses.fields(value) if field.name in declared]
    return {field.name for field in fields if not field.name.startswith("_") and "help" not in field.metadata}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_lists_what_it_offers(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name)


@pytest.mark.parametrize("name", [name for name, value in OFFERED.items() if inspect.isfunction(value)])
def test_function_is_documented(name: str) -> None:
    function = OFFERED[name]
    docstring = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    assert documented(section(docstring, "Args")) == signature.parameters.keys()
    annotation = function.__annotations__.get("return")
    if annotation not in (None, "None", Iterator[None]):
        assert section(docstring, "Returns") or section(docstring, "Yields")


@pytest.mark.parametrize("name", [name for name, value in OFFERED.items() if inspect.isclass(value)])
def test_class_is_documented(name: str) -> None:
    value = OFFERED[name]
    docstring = inspect.getdoc(value) or ""
    assert docstring
    if dataclasses.is_dataclass(value):
        names = documented(section(docstring, "Attributes"))
        assert own_fields(value) <= names <= {field.name for field in dataclasses.fields(value)}
    elif issubclass(value, tuple) and hasattr(value, "_fields"):
        assert documented(section(docstring, "Attributes")) == set(value._fields)
    elif "__init__" in vars(value) and not getattr(value, "_is_protocol", False):
        parameters = set(inspect.signature(value).parameters)
        assert documented(section(docstring, "Args")) == parameters


OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*")
# Options of other programs and packages.
EXTERNAL = {
    *("--nproc-per-node", "--no-python", "--standalone"),  # torchrun
    *("--multi_gpu", "--num_processes", "--no_python"),  # accelerate launch
    *("--target", "--force-reinstall"),  # pip
    *("--porcelain", "--untracked-files"),  # git status
    "--logdir",  # tensorboard
    "--head",  # ray start
    *("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"),  # Chromium
    *("--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--multiprocessing-fork",  # Python
    *("--gain", "--mean-keys", "--mean-seed"),  # of a mechanism in another package
}
# Options that tests give because they do not exist, or to a command of their own.
INVALID = {"--bogus", "--no-such-option", "--end", "--max", "--name"}


def scripts_options() -> set[str]:
    """Options of the scripts in tests/."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    return {option for text in texts for option in re.findall(r'add_argument\(\s*"(--[\w-]+)"', text)}


def texts() -> list[Path]:
    """Documents and code; not the changelog, which also names options of earlier versions."""
    code = [path for folder in ("rfcli", "tests", "examples") for path in (ROOT / folder).rglob("*.py")]
    return [path for path in (*DOCUMENTS, *code) if path.name != "CHANGELOG.md" and path != Path(__file__)]


def test_options_in_texts_exist() -> None:
    known = options_of_rf() | scripts_options() | EXTERNAL
    for path in texts():
        unknown = set(OPTION.findall(path.read_text(encoding="utf-8"))) - known
        if "tests" in path.relative_to(ROOT).parts:
            unknown -= INVALID
        assert not unknown, path
