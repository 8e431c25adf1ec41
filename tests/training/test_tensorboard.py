"""What TensorBoard itself reads of a run."""

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from rfcli.errors import InputError
from rfcli.training.loop import fit
from rfcli.training.state import read_state
from rfcli.training.tensorboard import FOLDER, TensorBoard, writer
from tests.support.training_scenes import fresh_model, options, training_data

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("run", "loop", "tensorboard"):
        monkeypatch.setattr(f"rfcli.training.{module}.REPORT_EVERY", 1)


class Killed(BaseException):
    """Stands for a kill: nothing is closed, and no state is saved."""


class DyingAt(TensorBoard):
    def __init__(self, out: Path, done: int, at: int) -> None:
        super().__init__(out, done)
        self.at = at

    def stepped(self, step: int, losses: dict[str, float]) -> None:
        super().stepped(step, losses)
        if step == self.at:
            raise Killed


def read(out: Path):  # type: ignore[no-untyped-def]
    found = accumulator.EventAccumulator(str(out / FOLDER), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    return found


def points(out: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(out).Scalars(tag)]


def test_a_resumed_run_has_every_point_once(tmp_path: Path) -> None:
    """Killed at steps 3, whose state is not written, and 6; states are those of steps 2, 4 and 6."""
    whole, parts = options(tmp_path / "whole"), options(tmp_path / "parts")
    fit(fresh_model(), training_data(), whole, TensorBoard(whole.out, 0))
    for dies in (3, 6, 99):
        state = read_state(parts.out, parts)
        watch = DyingAt(parts.out, state.step if state else 0, dies)
        if dies < 99:
            with pytest.raises(Killed):
                fit(fresh_model(), training_data(), parts, watch, state=state)
        else:
            fit(fresh_model(), training_data(), parts, watch, state=state)
    assert [step for step, _ in points(parts.out, "training/loss")] == [1, 2, 3, 4, 5, 6]
    for tag in ("training/loss", "training/log_l1", "training/rate", "validation/psnr"):
        assert points(parts.out, tag) == points(whole.out, tag)


def test_the_numbers_are_those_of_the_history_and_the_picture_is_the_grid(tmp_path: Path) -> None:
    told = options(tmp_path)
    fit(fresh_model(), training_data(), told, TensorBoard(tmp_path, 0))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [(line["step"], pytest.approx(line["loss"], rel=1e-6)) for line in lines if "loss" in line]
    quality = [(line["step"], pytest.approx(line["validation"]["psnr"])) for line in lines if "validation" in line]
    assert points(tmp_path, "training/loss") == losses
    assert points(tmp_path, "validation/psnr") == quality
    images = read(tmp_path).Images("truth, prediction")
    assert [image.step for image in images] == [2, 4, 6]
    assert pixels(images[-1].encoded_image_string) == pixels((tmp_path / "grid.png").read_bytes())


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).convert("RGB").tobytes()


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"^--tensorboard needs TensorBoard; pip install 'rfcli\[tensorboard\]'\.$"):
        writer()
