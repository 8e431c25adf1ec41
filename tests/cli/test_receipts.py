import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import rfcli
from rfcli.cli.receipts import as_json, model_entry, plain, receipt
from rfcli.model import RenderFormer
from tests.support.small_model import SMALL


@dataclass
class Point:
    path: Path
    values: tuple[float, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Path("a/b"), "a/b"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (torch.tensor(2.0), 2.0),
        (float("inf"), None),
        (np.float64("nan"), None),
        ({1: (True, None)}, {"1": [True, None]}),
        (Point(Path("x"), (1.0, float("nan"))), {"path": "x", "values": [1.0, None]}),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)
    assert json.loads(as_json({"value": plain(value)})) == {"value": expected}


def test_common_fields_come_first_and_a_receipt_is_one_line() -> None:
    fields = receipt("train", 1.23456, "cpu", [Path("runs/train")], steps=3, loss=float("nan"))
    assert fields == {
        "command": "train",
        "version": rfcli.__version__,
        "device": "cpu",
        "seconds": 1.235,
        "outputs": ["runs/train"],
        "steps": 3,
        "loss": None,
    }
    assert "\n" not in as_json({"text": "two\nlines", "accent": "é"})
    assert as_json({"accent": "é"}).isascii()  # stdout may have any encoding
    assert json.loads(as_json({"accent": "é"})) == {"accent": "é"}


def test_model_entry_counts_parameters() -> None:
    model = RenderFormer(SMALL)
    entry = model_entry("mine", model)
    assert entry["name"] == "mine"
    assert entry["attention"] == "sdpa"
    assert entry["parameters"] == sum(p.numel() for p in model.parameters()) > 10_000
