"""`--stages` on the command line and in a file."""

from pathlib import Path

import pytest

from rfcli.cli.curriculum import curriculum
from rfcli.errors import InputError
from rfcli.training.stages import Stage
from tests.cli.conftest import Rf


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("64:4000", (Stage(4000, 64),)),
        ("64:4000,128:2000", (Stage(4000, 64), Stage(2000, 128))),
        (" 64:4000:256-1k , 128:2000", (Stage(4000, 64, (256, 1024)), Stage(2000, 128))),
        ("64:1:300", (Stage(1, 64, (300, 300)),)),
    ],
)
def test_stages_are_read(text: str, stages: tuple[Stage, ...]) -> None:
    found = curriculum(text, None, None, None, 8000)
    assert found["stages"] == stages
    assert (found["steps"], found["resolution"]) == (sum(stage.steps for stage in stages), stages[-1].resolution)
    again = curriculum(",".join(map(str, stages)), None, None, None, 8000)
    assert again == found


def test_a_stage_without_triangles_has_those_of_the_run() -> None:
    found = curriculum("64:10:256-512,128:20", None, None, "1k-2k", 8000)
    assert [stage.triangles for stage in found["stages"]] == [(256, 512), (1024, 2048)]


def test_without_stages_the_other_options_count() -> None:
    assert curriculum(None, None, None, None, 3000) == {"steps": 3000, "resolution": 64, "triangles": None}
    assert curriculum(None, 7, 32, "1k", 3000) == {"steps": 7, "resolution": 32, "triangles": (1024, 1024)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"--stages: '' is no stage; give RESOLUTION:STEPS"),
        ("64", r"'64' is no stage"),
        ("64x4000", r"'64x4000' is no stage"),
        ("64:4000,", r"'' is no stage"),
        ("64:4000:1k:2", r"'64:4000:1k:2' is no stage"),
        ("64:-1", r"'64:-1' is no stage"),
        ("7:10", r"'7:10' must have 8 to 4096 pixels"),
        ("64:0", r"'64:0' must have 8 to 4096 pixels and 1 to 1,000,000,000 steps"),
        ("64:9999999999", r"must have 8 to 4096 pixels"),
        ("64:10:4k-1k", r"--stages: '4k-1k' runs from high to low"),
        ("64:10:many", r"--stages: 'many' is not a triangle count"),
    ],
)
def test_what_is_no_stage_is_named(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        curriculum(text, None, None, None, 8000)


@pytest.mark.parametrize(("steps", "resolution", "named"), [(5, None, "--steps"), (None, 64, "--resolution")])
def test_stages_say_it_all(steps: int | None, resolution: int | None, named: str) -> None:
    with pytest.raises(InputError, match=f"--stages has the steps and the resolution of each stage; leave out {named}"):
        curriculum("64:10", steps, resolution, None, 8000)


FILES = [
    ("stages:\n  - {steps: 400, resolution: 64, triangles: 256-1k}\n  - {steps: 20, resolution: 128}\n", "no scenes"),
    ("stages: ['64:400', {steps: 20, resolution: 128}]\n", "no scenes"),
    ("stages: {steps: 200, resolution: 128}\n", "no scenes"),
    ("stages: 64:400,128:200\n", "no scenes"),
    ("stages:\n", "no scenes"),
    ("stages: [{steps: 40}]\n", "option 'stages': a stage has no resolution; give each of them resolution and steps."),
    ("stages: [{steps: 40, resolution: 64, colour: red}]\n", "option 'stages': a stage has no 'colour'; give it"),
    ("stages: [{steps: [40], resolution: 64}]\n", "a stage cannot have '[40]'; give whole numbers"),
    ("stages: [{steps: '40,64:9', resolution: 64}]\n", "a stage cannot have '40,64:9'"),
    ("stages: [{steps: true, resolution: 64}]\n", "a stage cannot have 'True'"),
    ("stages: [{steps: 1.5, resolution: 64}]\n", "a stage cannot have '1.5'"),
    ("stages: [[1, 2]]\n", "option 'stages' must be a value or a list of values"),
    ("stages: [64]\n", "'64' is no stage"),
    ("steps: {a: 1}\n", "option 'steps' must be a value or a list of values, not groups"),
]


@pytest.mark.parametrize(("content", "words"), FILES)
def test_a_file_may_hold_stages_as_groups(rf: Rf, content: str, words: str) -> None:
    """Where the stages are understood, what is missed next is the dataset."""
    Path("rf.yaml").write_text(content)
    result = rf("train", "--config", "rf.yaml")
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_command_line_wins_over_the_file(rf: Rf) -> None:
    Path("rf.yaml").write_text("stages: [{steps: 40, resolution: 64}]\n")
    result = rf("train", "--config", "rf.yaml", "--stages", "64:none")
    assert "'64:none' is no stage" in result.stderr
    assert result.exit_code == 2
