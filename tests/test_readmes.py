"""Every code block of every document is run, or parsed by the program that it is for."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from rfcli.attention import names
from rfcli.cli.app import app
from tests.support.documents import (
    DOCUMENTS,
    ROOT,
    Block,
    Command,
    blocks,
    commands,
    inline_commands,
    named_file,
    options_of_rf,
    parse_rf,
    parse_script,
    yaml_command,
)
from tests.support.glb_files import studio

COMMANDS = [command for block in blocks("sh") for command in commands(block)]
TORCHRUN = ["torchrun", "--nproc-per-node", "--no-python"]
WITH_PLUGIN = "--attention mean"  # the mechanism that rfcli/attention/README.md adds as a package

# Options appended to a command so that it runs in seconds.
SMALLER = {
    "gen-data": "--scenes 2 --views 2 --resolution 16 --spp 1 --triangles 256-400 --workers 1",
    "train": "--resolution 16 --steps 2 --batch 1 --validate-every 2",
    "finetune": "--resolution 16 --steps 3 --batch 1 --validate-every 3",
    "render": "--resolution 32",
    "bench": "--triangles 128,256 --model tiny --budget 0.5",
    "view": "--no-open",
    "data": "",
    "doctor": "",
    "scene": "",
}
# Commands that need a network, a cluster, files of the reader, or hours: they are only parsed.
PARSED_ONLY = {
    "rf bench --scene examples/vase.json --quality": "minutes",
    "rf bench --config bench.yaml --budget 5": "minutes",
    "rf bench --compare A/ B/": "two studies of the reader",
    "rf gen-data --scenes 2000000 --shard 3/200": "10,000 scenes",
    "rf data pack data-3-of-200": "the shard of the line above",
    "rf data merge 'data-*-of-200-packed'": "200 shards",
    "rf gen-data --triangles 256-64k --curriculum --out large": "minutes",
    "rf train --phases 64:6000:256-1k,128:2000": "hours",
    "rf train --dry-run": "needs images of 64 pixels",
    "rf train --data s3://bucket/data": "a bucket of the reader",
    "rf train --data hf://datasets/user/data": "a dataset of the reader",
    "rf render examples/cornell-box.json --preview": "OpenGL",
    "rf view examples/vase.json": "ends with Ctrl-C",
    "rf view examples/cornell-box.json": "ends with Ctrl-C",
    "rf view examples/vase.json --attention nearfar --resolution 384 --save-scene vase-2.h5": "ends with Ctrl-C",
    "rf render examples/cornell-box.json --model RenderFormer/renderformer-v2 --vae Qwen/Qwen-Image": "a download",
}
CARDS = [path for path in DOCUMENTS if "weights" in path.parts]  # their commands take hours; tests/cli/test_recipes.py


def rf_words(command: Command) -> tuple[str, ...] | None:
    """The arguments of `rf` in a command, also behind `torchrun`; None if it is no command of rf."""
    words = command.words
    if words[0] == "torchrun":
        assert [word for word in words if word in TORCHRUN] == TORCHRUN
        words = words[4:]
    return words[1:] if words[0] == "rf" else None


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two path-traced scenes."""
    folder = tmp_path_factory.mktemp("dataset") / "data"
    arguments = ["gen-data", *SMALLER["gen-data"].split(), "--out", str(folder), "--quiet"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the commands: the examples, and the files that blocks stand for."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(ROOT / "examples/meshes", tmp_path / "my-meshes")
    for folder in ("scenes", "more"):
        (tmp_path / folder).mkdir()
        shutil.copytree(ROOT / "examples/meshes", tmp_path / folder / "meshes")
        shutil.copy(ROOT / "examples/vase.json", tmp_path / folder / f"{folder}-vase.json")
    studio().write(tmp_path / "kitchen.glb")
    for block in blocks("yaml"):
        (tmp_path / yaml_command(block)[0]).write_text(block.text)
    for block in blocks("python"):
        if name := named_file(block):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(block.text)
    for block in blocks("toml"):
        write_plugin(block, tmp_path)
    (tmp_path / "rfcli").symlink_to(ROOT / "rfcli")  # recipes of the model cards
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_plugin(block: Block, folder: Path) -> None:
    """Install a package as pip does: a .dist-info folder that lists its entry points."""
    group, name, value = re.findall(r'\[project\.entry-points\."([\w.]+)"\]\n(\w+) = "([\w.:]+)"', block.text)[0]
    about = folder / "documented_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: documented-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")


def run_python(code: str, *arguments: str) -> None:
    """Run code in a new process that finds the packages of the current folder."""
    path = os.pathsep.join([str(Path.cwd()), str(ROOT)])
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_every_block_is_in_a_language_that_is_checked() -> None:
    others = [block for block in blocks() if block.language not in ("sh", "python", "yaml", "toml")]
    unchecked = [(str(block).rpartition(":")[0], block.language) for block in others]
    assert unchecked == [
        ("README.md", ""),  # data flow
        ("README.md", "bibtex"),
        ("rfcli/dataset/README.md", "text"),  # layout of a folder
        ("rfcli/training/README.md", "text"),
    ]


def test_commands_that_are_only_parsed_are_in_the_documents() -> None:
    assert PARSED_ONLY.keys() <= {str(command) for command in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_command_is_valid(command: Command, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = rf_words(command)
    if words is None:
        PROGRAMS[command.words[0]](command.words, monkeypatch)
    elif WITH_PLUGIN in str(command):
        run_python(f"from tests.support.documents import parse_rf; parse_rf({words!r})")
    else:
        parse_rf(words)


def check_pip(words: tuple[str, ...], _monkeypatch: Any) -> None:
    assert words[1] == "install"
    for word in words[2:]:
        extra = re.fullmatch(r"(?:\.|rfcli)(?:\[(\w+)\])?", word)
        assert word == "-e" or (extra and (extra[1] is None or f"\n{extra[1]} = [" in PYPROJECT))


def check_pytest(words: tuple[str, ...], _monkeypatch: Any) -> None:
    options = iter(words[1:])
    for word in options:
        if word == "-m":
            assert f'"{next(options)}: ' in PYPROJECT
        elif word == "-n":
            assert next(options) == "0"
        else:
            assert (ROOT / word).exists()


def check_python(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    assert words[1] == "-m"
    if words[2] != "venv":
        parse_script(words[2], words[3:], monkeypatch)


def check_ruff(words: tuple[str, ...], _monkeypatch: Any) -> None:
    assert words in [("ruff", "format", "."), ("ruff", "check", ".")]


def check_alone(words: tuple[str, ...], _monkeypatch: Any) -> None:
    assert len(words) == 1


def check_activation(words: tuple[str, ...], _monkeypatch: Any) -> None:
    assert words == (".", ".venv/bin/activate")


def check_ci(words: tuple[str, ...], _monkeypatch: Any) -> None:
    assert os.access(ROOT / words[0], os.X_OK)


PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROGRAMS: dict[str, Callable[[tuple[str, ...], Any], None]] = {
    "pip": check_pip,
    "pytest": check_pytest,
    "python": check_python,
    "ruff": check_ruff,
    "mypy": check_alone,
    ".": check_activation,
    ".ci/run": check_ci,
}


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_options_file_is_valid(block: Block, workspace: Path) -> None:
    file, command = yaml_command(block)
    parse_rf((command, "--config", file))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_the_text_are_valid(path: Path) -> None:
    for command in inline_commands(path):
        words = command.split()[1:]
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in options_of_rf(), command


def test_all_commands_are_in_the_readme() -> None:
    shown = [rf_words(command) for command in COMMANDS if command.block.document == ROOT / "README.md"]
    assert {words[0] for words in shown if words} == SMALLER.keys()


@pytest.mark.parametrize("name", sorted(path.stem for path in ROOT.glob("tests/benchmarks/*.py")))
def test_benchmark_is_importable_and_documented(name: str) -> None:
    module = importlib.import_module(f"tests.benchmarks.{name}")
    if hasattr(module, "main"):
        assert f"python -m tests.benchmarks.{name}" in (module.__doc__ or "")
        assert f"`{name}`" in (ROOT / "tests/README.md").read_text(encoding="utf-8")


PYTHON_DOCUMENTS = list(dict.fromkeys(block.document for block in blocks("python")))


@pytest.mark.parametrize("path", PYTHON_DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_blocks_run(
    path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if path.parent.name == "dataset":
        shutil.copytree(request.getfixturevalue("dataset"), "data")
    if path.parent.name == "v2":
        shutil.copytree(ROOT / "tests/golden/v2", "tests/golden/v2")
    monkeypatch.syspath_prepend(str(workspace))
    variables: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks("python"):
        if block.document == path and named_file(block) is None:
            exec(compile(block.text, str(block), "exec"), variables)


def test_list_of_mechanisms_is_the_registry() -> None:
    listed = re.findall(r"^names\(\)  # (\(.*\))$", (ROOT / "rfcli/attention/README.md").read_text(), re.MULTILINE)
    assert listed == [repr(names()).replace("'", '"')]


def runs(command: Command) -> bool:
    """Whether `test_commands_run_when_made_smaller` runs the command."""
    return command.words[0] == "rf" and str(command) not in PARSED_ONLY and command.block.document not in CARDS


SHELL_BLOCKS = [block for block in blocks("sh") if any(runs(command) for command in commands(block))]


@pytest.mark.slow
@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=str)
def test_commands_run_when_made_smaller(block: Block, workspace: Path, dataset: Path) -> None:
    if block.document.parent.name != "dataset":
        shutil.copytree(dataset, "data")
    for command in filter(runs, commands(block)):
        words = list(command.words[1:])
        words += SMALLER[words[0]].split()
        if "--camera-orbit" in words:
            words += ["--camera-orbit", "2"]
        if "--from" in words and words[0] == "bench":
            words = words[: words.index("--from") + 2]
        if "--show-scene" in words:
            words = words[: words.index("--show-scene") + 1]
        if WITH_PLUGIN in str(command):
            run_python("from rfcli.cli.app import main; main()", *words)
            continue
        result = CliRunner().invoke(app, words, prog_name="rf")
        assert result.exit_code == 0, f"{command}\n{result.output}"


@pytest.mark.parametrize(
    ("path", "link"),
    [
        (path, link)
        for path in DOCUMENTS
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8"))
    ],
    ids=lambda value: str(value.relative_to(ROOT)) if isinstance(value, Path) else value,
)
def test_link_leads_to_a_file(path: Path, link: str) -> None:
    assert (path.parent / link).exists()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_code_exist(path: Path) -> None:
    for name in re.findall(r"`([\w/-]+\.py)`", path.read_text(encoding="utf-8")):
        if "NAME" not in name:
            assert list(ROOT.glob(f"rfcli/**/{name}")) or (ROOT / name).exists() or (path.parent / name).exists(), name


def test_readme_opens_with_title_picture_and_installation() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# rf\n")
    first = next(block for block in blocks("sh") if block.document == ROOT / "README.md")
    assert first.text == "pip install . && rf render examples/cornell-box.json\npip install '.[dev]' && pytest\n"
    assert text.index("![") < text.index(first.text)
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert [line for line in first.text.splitlines() if f'step "{line}"' not in ci] == []


@pytest.mark.parametrize("folder", re.findall(r"^\| .?`(\w+)/`", (ROOT / "README.md").read_text(), re.MULTILINE))
def test_folder_of_the_architecture_exists(folder: str) -> None:
    assert (ROOT / "rfcli" / folder / "__init__.py").is_file()


def test_architecture_lists_all_folders() -> None:
    listed = re.findall(r"^\| .?`(\w+)/`", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(listed) == {path.parent.name for path in ROOT.glob("rfcli/*/__init__.py")}


def test_architecture_lists_the_imports_of_every_folder() -> None:
    rows = re.findall(r"^\| .?`(\w+)/`.* \| ([^|]*)\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    listed = {folder: set(re.findall(r"`(\w+)`", imports)) for folder, imports in rows if folder != "cli"}
    for folder, imports in listed.items():
        code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rfcli" / folder).rglob("*.py"))
        found = set(re.findall(r"^ *(?:from|import) rfcli\.(\w+)", code, re.MULTILINE))
        assert imports == found - {folder, "errors"}, folder


def test_workflow_calls_the_script() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert {"run": ".ci/run"}.items() <= workflow["jobs"]["checks"]["steps"][-1].items()
