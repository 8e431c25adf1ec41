"""Reports of a training run: the image grid, and the files that TensorBoard reads."""

import io
import json
import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image

from rfcli.cli.training_callbacks import (
    GRID,
    TENSORBOARD,
    GridCallbacks,
    TensorBoardCallbacks,
    image_grid,
    summary_writer,
)
from rfcli.errors import InputError
from rfcli.pictures.images import to_display
from rfcli.training.callbacks import CallbackList
from rfcli.training.loop import fit
from rfcli.training.state import read_state
from rfcli.training.validation import example_images
from tests.support.training_scenes import RESOLUTION, fresh_model, train_options, training_data

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


@pytest.fixture(autouse=True)
def report_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("rfcli.training.run", "rfcli.training.loop", "rfcli.cli.training_callbacks"):
        monkeypatch.setattr(f"{module}.REPORT_EVERY", 1)


def test_the_grid_shows_truth_and_prediction_of_each_view(tmp_path: Path) -> None:
    pairs = example_images(fresh_model(), training_data(3).train, RESOLUTION)
    assert len(pairs) == 3 * 2  # three scenes of two views
    grid = image_grid(pairs)
    gap = 2
    for number, image in enumerate(image for pair in pairs for image in pair):
        row, column = divmod(number, 4)
        top, left = gap + row * (RESOLUTION + gap), gap + column * (RESOLUTION + gap)
        assert np.array_equal(grid[top : top + RESOLUTION, left : left + RESOLUTION], to_display(image))
    GridCallbacks(tmp_path).on_validation(2, None, pairs)  # type: ignore[arg-type]
    assert np.array_equal(imageio.imread(tmp_path / GRID), grid)


class Killed(BaseException):
    """Stands for a kill: nothing is closed, and no state is saved."""


class KilledAt(TensorBoardCallbacks):
    def __init__(self, out: Path, done: int, at: int) -> None:
        super().__init__(out, done)
        self.at = at

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        super().on_step(step, losses)
        if step == self.at:
            raise Killed


def read(out: Path):  # type: ignore[no-untyped-def]
    found = accumulator.EventAccumulator(str(out / TENSORBOARD), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    return found


def points(out: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(out).Scalars(tag)]


@pytest.mark.slow
def test_a_resumed_run_has_every_point_once(tmp_path: Path) -> None:
    """Killed at steps 3, whose state is not written, and 6; states are those of steps 2, 4 and 6."""
    whole, parts = train_options(tmp_path / "whole"), train_options(tmp_path / "parts")
    fit(fresh_model(), training_data(), whole, TensorBoardCallbacks(whole.out, 0))
    for kill in (3, 6, 99):
        state = read_state(parts.out, parts)
        callbacks = KilledAt(parts.out, state.step if state else 0, kill)
        if kill < 99:
            with pytest.raises(Killed):
                fit(fresh_model(), training_data(), parts, callbacks, state=state)
        else:
            fit(fresh_model(), training_data(), parts, callbacks, state=state)
    assert [step for step, _ in points(parts.out, "training/loss")] == [1, 2, 3, 4, 5, 6]
    for tag in ("training/loss", "training/log_l1", "training/rate", "validation/psnr"):
        assert points(parts.out, tag) == points(whole.out, tag)


def test_tensorboard_has_the_numbers_of_the_history_and_the_grid(tmp_path: Path) -> None:
    options = train_options(tmp_path)
    callbacks = CallbackList(GridCallbacks(tmp_path), TensorBoardCallbacks(tmp_path, 0))
    fit(fresh_model(), training_data(), options, callbacks)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [(line["step"], pytest.approx(line["loss"], rel=1e-6)) for line in lines if "loss" in line]
    quality = [(line["step"], pytest.approx(line["validation"]["psnr"])) for line in lines if "validation" in line]
    assert points(tmp_path, "training/loss") == losses
    assert points(tmp_path, "validation/psnr") == quality
    images = read(tmp_path).Images("truth, prediction")
    assert [image.step for image in images] == [2, 4, 6]
    assert pixels(images[-1].encoded_image_string) == pixels((tmp_path / GRID).read_bytes())


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).convert("RGB").tobytes()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"^--tensorboard needs TensorBoard; pip install 'rfcli\[tensorboard\]'\.$"):
        summary_writer()
