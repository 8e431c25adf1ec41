"""Invalid values for every option of every command, on the command line and from a file."""

from pathlib import Path

import pytest
import typer

from rfcli.cli.app import app
from tests.cli.bad_input.conftest import Refused

SHARED = {
    "seed": ["-1", "1.5", "one", "9" * 40],
    "config": ["absent.yaml", "."],
}
DEVICE = {"device": ["tpu", "", "cuda:99"]}
MECHANISMS = {
    "keys": ["0", "-1", "x", "9" * 20],
    "half-window": ["-1", "x"],
    "features": ["0", "-1", "x", "9" * 20],
    "feature-map": ["relu", ""],
}
TRAINING = {
    **DEVICE,
    "data": ["absent", "."],
    "out": ["taken", "picture.PNG"],
    "resolution": ["0", "-64", "64.5", "99999"],
    "triangles": ["", "many", "4k-1k", "0", "-5"],
    "steps": ["0", "-1", "1e3", "9" * 30],
    "phases": ["", "64", "64x9", "64:0", "7:10", "64:10,", "64:10:4k-1k", "64:" + "9" * 30],
    "batch": ["0", "-4", "9" * 9],
    "views": ["0", "-2", "9" * 9],
    "rate": ["0", "-1", "nan", "inf", "1e300", "fast"],
    "warmup": ["-1", "x"],
    "rotations": ["sideways", ""],
    "validate-every": ["0", "-1", "x"],
    "optimizer": ["sgd", ""],
    "ema": ["-0.1", "1", "1.5", "nan", "x"],
    "lpips-weights": ["absent.pth"],
    "workers": ["", "-1", "1.5", "x", "257"],
    "translations": ["-1", "nan", "inf", "x"],
    "save-minutes": ["-1", "nan", "x"],
    "keep": ["0", "-2", "x", "9" * 20],
}
OPTIONS: dict[str, dict[str, list[str]]] = {
    "gen-data": {
        "scenes": ["0", "-3", "1.5", "9" * 30],
        "out": ["taken"],
        "split": ["holdout", ""],
        "views": ["0", "-1", "9" * 9],
        "resolution": ["7", "5000", "x"],
        "spp": ["0", "-1", "9" * 12],
        "triangles": ["1-10", "", "x", "4k-1k", "1k-999999k"],
        "meshes": ["absent", "empty"],
        "workers": ["-1", "99999", "x"],
        "engine": ["spark", ""],
        "shard": ["", "3", "0/4", "5/4", "1/0", "x/y", "-1/4", "1/" + "9" * 40],
    },
    "train": {
        **TRAINING,
        "model": ["huge", ""],
        "overfit": ["-1", "x", "9" * 20],
    },
    "finetune": {
        **TRAINING,
        "attention": ["softmux", ""],
        **MECHANISMS,
        "layers": ["0", "x", "3", "4", "257"],
        "channels": ["three", "", "rgb"],
        "light": ["dim", "", "1"],
        "direct": ["network", "", "rays"],
        "from": ["absent", "", "./absent"],
        "transfer": ["-1", "x"],
        "freeze": ["rays", ""],
    },
    "render": {
        **DEVICE,
        "model": ["absent", "", "./absent", "absent.safetensors"],
        "attention": ["softmux", ""],
        **MECHANISMS,
        "view": ["", "x", "-1", "0,,1", "7", "9" * 5000, "1.5"],
        "resolution": ["0", "-8", "12", "1032", "nan", "9" * 30],
        "exposure": ["nan", "inf", "-inf", "1e308", "bright"],
        "tone-mapping": ["reinhard", ""],
        "compare": ["absent", ""],
        "camera-orbit": ["0", "1", "-3", "1.5", "9" * 12],
        "arc": ["0", "-10", "361", "nan", "inf", "x"],
        "fps": ["0", "121", "nan", "-1", "x"],
        "max-triangles": ["", "x", "-1", "0", "9" * 20],
        "detail": ["x", "0"],
        "vae": [],
        "up": ["x", ""],
        "save-scene": ["scene.txt", "absent/scene.h5", "scene"],
        "precision": ["fp16", ""],
        "out": ["taken", "taken/below", "picture.PNG"],
    },
    "view": {  # its values: tests/viewer
        **{
            option: []
            for option in (*DEVICE, *MECHANISMS, "model", "attention", "resolution", "exposure", "port", "host")
        },
        **{option: [] for option in ("tone-mapping", "max-triangles", "up", "save-scene", "precision", "out")},
    },
    "bench": {
        **DEVICE,
        "triangles": ["", "x", "0", "4k-1k", "1-2-3"],
        "attention": ["softmux", "", ","],
        **MECHANISMS,
        "model": ["absent", "", "./absent"],
        "layers": ["0", "-1", "99", "x"],
        "budget": ["0", "-1", "nan", "inf", "x"],
        "twins": ["", "absent"],
        "scene": ["absent.json", "absent.obj", "absent"],
        "from": ["absent.json", "."],
        "compare": ["absent"],
        "out": ["taken", "picture.PNG"],
    },
}
NEEDED = {"twins": ["--quality"]}
CASES = [
    (command, option, value)
    for command, options in OPTIONS.items()
    for option, values in {**options, **SHARED}.items()
    for value in values
]
SWITCHES = {"help", "json", "quiet", "verbose", "denoise", "light_layers", "performer", "preview"}
SWITCHES |= {
    "backdrop",
    "no_open",
    "turntable_light",
    "show_scene",
    "allow_outside",
    "compile",
    "curriculum",
    "quality",
}
SWITCHES |= {"recompute", "shard_weights", "dry_run", "tensorboard"}


@pytest.mark.parametrize(("command", "option", "value"), CASES)
def test_invalid_value(refused: Refused, scene: Path, tmp_path: Path, command: str, option: str, value: str) -> None:
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "empty").mkdir()
    what = (
        [scene]
        if command in ("render", "view")
        else ["--scenes", 1]
        if command == "gen-data" and option != "scenes"
        else []
    )
    sentence = refused([command, *what, *NEEDED.get(option, []), f"--{option}", value], [])
    assert f"--{option}" in sentence or f"'{value}'" in sentence or (value and value in sentence), sentence


def test_every_option_of_every_command_is_in_the_table() -> None:
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if name in ("data", "scene"):  # tests/cli/test_data.py, tests/cli/test_scene.py
            continue
        options = {
            parameter.opts[0].removeprefix("--").replace("-", "_")
            for parameter in command.params
            if parameter.param_type_name == "option"
        }
        table = {} if name == "doctor" else {**OPTIONS[name], **SHARED}
        known = {option.replace("-", "_") for option in table}
        assert options - SWITCHES == known, name


YAML: list[tuple[str, str | bytes, list[str]]] = [
    ("unknown-option", "colour: red", ["'colour'", "resolution"]),
    ("list", "- resolution\n- 64", ["option: value"]),
    ("word", "resolution", ["option: value"]),
    ("number", "64", ["option: value"]),
    ("group", "resolution: {x: 64, y: 64}", ["resolution", "not groups"]),
    ("list-of-lists", "view: [[0, 1], [2]]", ["view", "not groups"]),
    ("torn", "resolution: [64", ["not valid YAML"]),
    ("tab", "resolution:\t64\n\tview: 0", ["not valid YAML"]),
    ("python-object", "resolution: !!python/object/apply:os.system ['true']", ["not valid YAML"]),
    ("latin-1", "tone-mapping: ö".encode("latin-1"), ["not valid YAML"]),
    ("binary", bytes(range(256)), ["not valid YAML"]),
    (
        "bomb",
        "a: &a [x, x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)),
        ["'a'"],
    ),
    ("nested", "[" * 5000 + "]" * 5000, ["nested too deeply"]),
    ("digits", "resolution: " + "9" * 5000, ["not valid YAML"]),
    ("null-character", 'out: "a\\0b"', ["out", "null character"]),
    ("wrong-value", "resolution: large", ["--resolution"]),
    ("out-of-range", "seed: -4", ["--seed"]),
    ("config-in-config", "config: other.yaml", ["'config'"]),
    ("two-megabytes", "#" * 2_000_000, ["not a file of options"]),
    ("self-reference", "view: &v [*v]", ["view"]),
    ("bad-date", "view: 2020-99-99", ["not valid YAML"]),
]


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in YAML], ids=[case[0] for case in YAML])
def test_invalid_config_file(
    refused: Refused, scene: Path, tmp_path: Path, content: str | bytes, words: list[str]
) -> None:
    path = tmp_path / "rf.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(["render", scene, "--config", path], words)


def test_an_endless_config_file(refused: Refused, scene: Path) -> None:
    refused(["render", scene, "--config", "/dev/zero"], ["/dev/zero"])
