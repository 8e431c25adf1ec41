"""Options of `rf train` and `rf finetune`: phases as text and in a file, and every single option at extreme values."""

import inspect
import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

import rfcli.model
from rfcli.attention import mechanisms
from rfcli.cli.app import app
from rfcli.cli.training_options import parse_phases, training_options, training_parameters
from rfcli.errors import InputError
from rfcli.model import save_checkpoint
from rfcli.training.options import FinetuneOptions, TrainOptions
from rfcli.training.phases import Phase
from tests.cli.conftest import Rf
from tests.support.model_scenes import SMALL
from tests.support.training_datasets import write_dataset
from tests.support.training_scenes import fresh_model

OUT = Path("run")


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("64:4000", (Phase(4000, 64),)),
        ("64:4000,128:2000", (Phase(4000, 64), Phase(2000, 128))),
        (" 64:4000:256-1k , 128:2000", (Phase(4000, 64, (256, 1024)), Phase(2000, 128))),
        ("64:1:300", (Phase(1, 64, (300, 300)),)),
    ],
)
def test_phases_are_parsed(text: str, phases: tuple[Phase, ...]) -> None:
    assert parse_phases(text) == phases
    assert parse_phases(",".join(map(str, phases))) == phases


def test_a_phase_without_triangles_has_those_of_the_run() -> None:
    found = parse_phases("64:10:256-512,128:20", (1024, 2048))
    assert [phase.triangles for phase in found] == [(256, 512), (1024, 2048)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"--phases: '' is not a phase; give RESOLUTION:STEPS"),
        ("64", r"'64' is not a phase"),
        ("64x4000", r"'64x4000' is not a phase"),
        ("64:4000,", r"'' is not a phase"),
        ("64:4000:1k:2", r"'64:4000:1k:2' is not a phase"),
        ("64:-1", r"'64:-1' is not a phase"),
        ("7:10", r"'7:10' must have 8 to 4096 pixels"),
        ("64:0", r"'64:0' must have 8 to 4096 pixels and 1 to 1,000,000,000 steps"),
        ("64:9999999999", r"must have 8 to 4096 pixels"),
        ("64:10:4k-1k", r"--phases: '4k-1k' runs from high to low"),
        ("64:10:many", r"--phases: 'many' is not a triangle count"),
    ],
)
def test_invalid_phases_are_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_phases(text)


@pytest.mark.parametrize("kind", [TrainOptions, FinetuneOptions])
def test_parameters_give_the_defaults_of_the_fields(kind: type[TrainOptions]) -> None:
    defaults = {parameter.name: parameter.default for parameter in training_parameters(kind)}
    assert training_options(kind, defaults, OUT, seed=3) == kind(out=OUT, seed=3)


def test_phases_and_triangles_are_given_as_text() -> None:
    defaults = {parameter.name: parameter.default for parameter in training_parameters(TrainOptions)}
    options = training_options(TrainOptions, {**defaults, "triangles": "1k-2k", "phases": "8:2,16:4:9"}, OUT, 0)
    assert options.triangles == (1024, 2048)
    assert options.phases == (Phase(2, 8, (1024, 2048)), Phase(4, 16, (9, 9)))


@pytest.mark.parametrize(("text", "workers"), [(None, None), ("auto", None), ("0", 0), (" 12 ", 12)])
def test_workers_are_a_number_or_auto(text: str | None, workers: int | None) -> None:
    defaults = {parameter.name: parameter.default for parameter in training_parameters(TrainOptions)}
    assert training_options(TrainOptions, {**defaults, "workers": text}, OUT, 0).workers == workers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("many", r"--workers 'many' is not a number of processes; give auto, 0, 1, 2"),
        ("-1", r"--workers '-1' is not"),
        ("1.5", r"--workers '1.5' is not"),
        ("9999", "`workers` must be at most 256, got 9999"),
    ],
)
def test_impossible_workers_are_named(text: str, message: str) -> None:
    defaults = {parameter.name: parameter.default for parameter in training_parameters(TrainOptions)}
    with pytest.raises(InputError, match=message):
        training_options(TrainOptions, {**defaults, "workers": text}, OUT, 0)


FILES = [
    ("phases:\n  - {steps: 400, resolution: 64, triangles: 256-1k}\n  - {steps: 20, resolution: 128}\n", "no scenes"),
    ("phases: ['64:400', {steps: 20, resolution: 128}]\n", "no scenes"),
    ("phases: {steps: 200, resolution: 128}\n", "no scenes"),
    ("phases: 64:400,128:200\n", "no scenes"),
    ("phases:\n", "no scenes"),
    ("stages: [{steps: 400, resolution: 64}, '128:200']\n", "no scenes"),  # the former name
    ("phases: [{steps: 40}]\n", "option 'phases': a phase has no resolution; give each of them resolution and steps."),
    ("phases: [{steps: 40, resolution: 64, colour: red}]\n", "option 'phases': a phase has no 'colour'; give it"),
    ("phases: [{steps: [40], resolution: 64}]\n", "a phase cannot have '[40]'; give whole numbers"),
    ("phases: [{steps: '40,64:9', resolution: 64}]\n", "a phase cannot have '40,64:9'"),
    ("phases: [{steps: true, resolution: 64}]\n", "a phase cannot have 'True'"),
    ("phases: [{steps: 1.5, resolution: 64}]\n", "a phase cannot have '1.5'"),
    ("phases: [[1, 2]]\n", "option 'phases' must be a value or a list of values"),
    ("phases: [64]\n", "'64' is not a phase"),
    ("steps: {a: 1}\n", "option 'steps' must be a value or a list of values, not groups"),
]


@pytest.mark.parametrize(("content", "words"), FILES)
def test_a_file_may_have_phases_as_groups(rf: Rf, content: str, words: str) -> None:
    """If the phases are valid, the next error is that there is no dataset."""
    Path("rf.yaml").write_text(content)
    result = rf("train", "--config", "rf.yaml")
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_command_line_wins_over_the_file(rf: Rf) -> None:
    Path("rf.yaml").write_text("phases: [{steps: 40, resolution: 64}]\n")
    result = rf("train", "--config", "rf.yaml", "--stages", "64:none")
    assert "'64:none' is not a phase" in result.stderr
    assert result.exit_code == 2


# Extreme legal values of the options whose limits do not say them.
EXTREMES = {
    "data": [],
    "workers": ["auto", "0", "2"],  # more would take the memory of the machine
    "triangles": ["1-2k"],
    "phases": ["8:1", "16:1000000000", "8:3,16:1,8:2:1-1k"],
    "rate": ["1e-30", "100"],
    "ema": ["0", "0.999999999"],
    "lpips_weights": [],
    "resolution": ["8", "16"],  # further ones do not divide the resolution of the dataset
    "warmup": ["0", "1000000000000"],
    "validate_every": ["1", "1000000000000"],
    "save_minutes": ["0", "inf"],
}


def mechanism_cases() -> list[list[str]]:
    """A command line for each extreme value of the options of all attention mechanisms."""
    options = {option.name: option for mechanism in mechanisms() for option in mechanism.options}.values()
    values = {option.name: option.choices or (option.minimum, option.maximum) for option in options}
    return [[f"--{name.replace('_', '-')}", str(value)] for name, ends in values.items() for value in ends]


def extreme_cases(kind: type[TrainOptions], without: str) -> list[list[str]]:
    """A command line for each option of a class: its lowest and highest value, or each of its choices."""
    types, cases = get_type_hints(kind), list[list[str]]()
    for spec in fields(kind):
        if "help" not in spec.metadata or spec.name == without:
            continue
        flag = (spec.metadata["flags"] or (f"--{spec.name.replace('_', '-')}",))[0]
        limits = [str(spec.metadata[end]) for end in ("min", "max") if spec.metadata[end] is not None]
        values = EXTREMES.get(spec.name, list(get_args(types[spec.name])) or limits)
        cases += [[flag]] if types[spec.name] is bool else [[flag, value] for value in values]
    return cases


# Cases that are run in the first step of the tests, too.
FAST = {"--steps 1", "--warmup 1000000000000", "--batch 4096", "--overfit 1000000", "--phases 8:1", "--shard-weights"}
FAST |= {"--performer --freeze triangles", "--performer --transfer 5000", "--feature-map favor"}


def as_parameters(cases: Iterable[list[str]]) -> list[Any]:
    named = [(" ".join(case), case) for case in cases]
    return [pytest.param(case, id=name, marks=() if name in FAST else pytest.mark.slow) for name, case in named]


TRAIN_CASES = [
    *(case for case in extreme_cases(TrainOptions, without="transfer") if case[0] != "--freeze"),
    *(["--model", name] for name in ("tiny", "small")),
    ["--seed", str(2**63 - 1)],
    ["--seed", "0"],
]
FINETUNE_CASES = [
    *extreme_cases(FinetuneOptions, without="overfit"),
    ["--performer"],
    *(["--attention", name] for name in ("sdpa", "performer", "hedgehog", "nearfar", "window")),
    *mechanism_cases(),
    *(["--channels", value] for value in ("together", "apart")),
    *(["--light", value] for value in ("given", "relative")),
    ["--layers", "5"],
    ["--seed", str(2**63 - 1)],
    ["--performer", "--freeze", "triangles"],
    ["--performer", "--transfer", "5000"],
    ["--performer", "--steps", "1"],
]


@pytest.fixture(scope="module")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scenes of a dozen triangles at 16 x 16 pixels."""
    return write_dataset(tmp_path_factory.mktemp("extremes") / "data", 4)


@pytest.fixture(scope="module")
def first_hit_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with first-hit visibility, as the bundled ones have it."""
    folder = tmp_path_factory.mktemp("first-hit")
    save_checkpoint(fresh_model(), folder, "random weights")
    return folder


def check_dry_run(rf: Rf, data: Path, command: str, case: list[str], *arguments: object) -> None:
    resolution = () if {"--phases", "--resolution"} & set(case) else ("--resolution", 16)
    result = rf(command, "--data", data, *resolution, *arguments, *case, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["dry_run"]["hours"] >= 0
    assert not list(Path().iterdir())


@pytest.mark.filterwarnings("ignore:Skipping Gaussian Smoothing")  # windows of 11 pixels, images of 8
@pytest.mark.parametrize("case", as_parameters(TRAIN_CASES))
def test_rf_train_runs_with_any_single_option(
    rf: Rf, small_dataset: Path, case: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of --data, --resolution and this option; the options that are not given fit."""
    shrink_presets(monkeypatch)
    check_dry_run(rf, small_dataset, "train", case)


@pytest.mark.filterwarnings("ignore:Skipping Gaussian Smoothing")
@pytest.mark.parametrize("case", as_parameters(FINETUNE_CASES))
def test_rf_finetune_runs_with_any_single_option(
    rf: Rf, small_dataset: Path, first_hit_model: Path, case: list[str]
) -> None:
    check_dry_run(rf, small_dataset, "finetune", case, "--from", first_hit_model)


def shrink_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the architectures of `rf train` by a tiny one."""
    monkeypatch.setattr(rfcli.model, "PRESETS", dict.fromkeys(rfcli.model.PRESETS, SMALL))


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("train", ("--phases", "8:4", "--steps", 3), "--phases has the steps and the resolution of each phase; leave"),
        ("train", ("--stages", "8:4", "--resolution", 16), "leave out --resolution"),
        ("train", ("--phases", "8:4", "--overfit", 1), "--overfit trains on a few scenes only; leave out --phases"),
        ("train", ("--steps", 5, "--warmup", 5), "--warmup 5 must be shorter than the run of 5 steps"),
        ("finetune", ("--steps", 5, "--transfer", 6), "--transfer 6 must not be longer than the run of 5 steps"),
        ("finetune", ("--freeze", "triangles", "--transfer", 6), "--freeze triangles keeps the attention layers unch"),
        ("finetune", ("--performer", "--layers", 5), "--layers and another attention need a run each"),
        ("finetune", ("--performer", "--keys", 5), "--keys 5 is an option of nearfar, not of performer"),
    ],
)
def test_given_options_that_contradict_each_other_are_named(
    rf: Rf, model: Path, command: str, arguments: tuple[object, ...], message: str
) -> None:
    start = ("--from", model) if command == "finetune" else ()
    result = rf(command, *start, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_both_commands_have_the_same_training_options() -> None:
    group = typer.main.get_command(app)
    train, finetune = (
        {parameter.name: parameter for parameter in group.commands[name].params}  # type: ignore[attr-defined]
        for name in ("train", "finetune")
    )
    names = {parameter.name for parameter in training_parameters(TrainOptions)}
    assert names - set(train) == {"transfer", "freeze"}
    assert names - set(finetune) == {"overfit"}
    assert {name for name in names & set(train) & set(finetune) if train[name].help != finetune[name].help} == {
        "steps",
        "warmup",
    }
    assert inspect.signature(training_parameters).return_annotation == list[inspect.Parameter]


@pytest.mark.parametrize("command", ["train", "finetune"])
def test_help_shows_at_most_twelve_options_first(command: str) -> None:
    text = CliRunner(env={"COLUMNS": "140"}).invoke(app, [command, "--help"]).output
    first = text.split("╭─")[1]
    assert "Options" in first
    assert 8 <= first.count("\n│ -") <= 12
    for panel in ("Curriculum", "Optimisation", "Augmentation", "Validation and saving", "Memory and processes", "Run"):
        assert f"─ {panel} ─" in text
