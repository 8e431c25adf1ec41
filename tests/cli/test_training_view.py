"""The display under the progress bar of a run, which logs and quiet runs do not have."""

import io

import pytest
from rich.console import Console as Rich

from rfcli.cli import training_view as module
from rfcli.cli.console import Console
from rfcli.cli.progress import Progress
from rfcli.cli.training_callbacks import ConsoleCallbacks
from rfcli.cli.training_view import TrainingView
from rfcli.training.validation import Validation

STEP = {
    "loss": 0.25,
    "log_l1": 0.2,
    "ssim": 1.0,
    "gradient_norm": 0.5,
    "gradient_norm_rays": 0.3,
    "rate": 1e-3,
    "padding": 0.06,
    "loading": 0.012,
}


def shown(view: TrainingView, width: int = 100) -> list[str]:
    output = Rich(file=io.StringIO(), width=width)
    output.print(view)
    return [line.rstrip() for line in output.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_all_values_of_a_step_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    view = TrainingView(scenes=4)
    for loss in (0.5, 0.25):
        now[0] += 2.0
        view.add_step({**STEP, "loss": loss})
    view.add_validation(21.5)
    view.add_validation(20.25)
    loss, psnr, machine = shown(view)
    assert loss.startswith("loss █▁ ")
    assert loss.endswith(" 0.2500 (log_l1 0.2000, ssim 1.0000)")
    assert psnr.startswith("PSNR █▁ ")
    assert psnr.endswith(" 20.25 dB, best 21.50")
    assert machine == "2 scenes/s, learning rate 0.001, gradient 0.5, 6% padding, 1.2% of the time waiting for data"


def test_the_history_is_shown_and_transfer_has_its_own_sparkline() -> None:
    view = TrainingView(scenes=4)
    history = [{"step": 10, "loss": 9.0, "transfer": 9.0}, {"step": 20, "loss": 0.5}, {"step": 30, "loss": 0.25}]
    view.add_history([*history, {"step": 30, "validation": {"psnr": 12.5}}])
    assert view.loss.means == [0.5] * 10 + [0.25] * 10
    assert view.quality() == "12.50 dB, best 12.50"
    view.add_step({**STEP, "loss": 0.125})
    assert view.loss.means[-1] == 0.125


@pytest.mark.parametrize("width", [20, 60, 200])
def test_it_fits_terminals_of_any_width(width: int) -> None:
    view = TrainingView(scenes=4)
    for _ in range(300):
        view.add_step(STEP)
    lines = shown(view, width)
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (False, False), (True, True)])
def test_it_is_shown_on_terminals_only(monkeypatch: pytest.MonkeyPatch, terminal: bool, quiet: bool) -> None:
    monkeypatch.setattr("rfcli.cli.progress.LOG_INTERVAL", -1.0)
    output = Rich(file=io.StringIO(), width=120, force_terminal=terminal, quiet=quiet, highlight=False)
    console = Console("train", quiet=quiet)
    console._output = output
    with Progress(output, "steps", total=3, unit="steps") as progress:
        callbacks = ConsoleCallbacks(console, progress, TrainingView(scenes=4))
        callbacks.on_step(1, STEP)
        callbacks.on_validation(1, Validation(21.0, 0.8, 15.0), [])
    text = output.file.getvalue()  # type: ignore[attr-defined]
    assert ("learning rate" in text) == (terminal and not quiet)
    assert ("validation PSNR 21.00 dB" in text) != quiet
    if not terminal:
        first = text.splitlines()[0]
        assert first.startswith("steps 1/3")
        assert first.endswith("loss 0.2500, 1.2% waiting for data")
        assert "\x1b" not in text
