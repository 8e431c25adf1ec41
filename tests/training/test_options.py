"""Training options: values that were not given fit those that were; given ones can contradict each other."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from rfcli.errors import InputError
from rfcli.training.options import OVERFIT_STEPS, FinetuneOptions, TrainOptions
from rfcli.training.phases import Phase

OUT = Path("run")
CURRICULUM = (Phase(3, 8, (10, 12)), Phase(3, 16))


def test_defaults() -> None:
    train, finetune = TrainOptions(out=OUT), FinetuneOptions(out=OUT)
    assert (train.steps, train.resolution, train.rate, train.warmup, train.transfer) == (8000, 64, 1e-3, 100, 0)
    assert (finetune.steps, finetune.resolution, finetune.rate, finetune.warmup) == (3000, 64, 5e-4, 50)
    assert train.curriculum == (Phase(8000, 64),)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"steps": 20}, {"warmup": 10}),
        ({"steps": 1}, {"warmup": 0}),
        ({"steps": 8000}, {"warmup": 100}),
        ({"warmup": 10**6}, {"steps": 8000, "warmup": 4000}),
        ({"warmup": 4500}, {"steps": 8000, "warmup": 4500}),
        ({"transfer": 9000}, {"steps": 9000}),
        ({"overfit": 1}, {"steps": OVERFIT_STEPS, "warmup": 100}),
        ({"overfit": 4}, {"steps": OVERFIT_STEPS}),
        ({"overfit": 5}, {"steps": 2 * OVERFIT_STEPS}),
        ({"overfit": 10**6}, {"steps": 8000}),
        ({"overfit": 1, "steps": 3}, {"steps": 3, "warmup": 1}),
        ({"phases": CURRICULUM}, {"steps": 6, "resolution": 16, "warmup": 3}),
        ({"phases": CURRICULUM, "steps": 6, "resolution": 16}, {"steps": 6}),
    ],
)
def test_options_that_are_not_given_fit_those_that_are(given: dict[str, Any], expected: dict[str, int]) -> None:
    options = TrainOptions(out=OUT, **given)
    assert {name: getattr(options, name) for name in expected} == expected
    assert dataclasses.replace(options, batch=7).warmup == options.warmup


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 5, "warmup": 5}, "`warmup` 5 must be shorter than the run of 5 steps"),
        ({"phases": CURRICULUM, "warmup": 6}, "`warmup` 6 must be shorter than the run of 6 steps"),
        ({"steps": 5, "transfer": 6}, "`transfer` 6 must not be longer than the run of 5 steps"),
        ({"freeze": "triangles", "transfer": 5}, "`freeze` triangles keeps the attention layers unchanged"),
        ({"phases": CURRICULUM, "steps": 5}, "`phases` has the steps and the resolution of each phase; leave out `st"),
        ({"phases": CURRICULUM, "resolution": 8}, "leave out `resolution`"),
        ({"phases": CURRICULUM, "overfit": 1}, "`overfit` trains on a few scenes only; leave out `phases`"),
        ({"ema": 1.0}, r"`ema` must be from 0 to below 1, got 1\.0"),
        ({"ema": float("nan")}, "`ema` must be from 0"),
        ({"rate": 0.0}, "`rate` must be above 0"),
        ({"rate": float("nan")}, "`rate` must be at most 100, got nan"),
        ({"batch": 0}, "`batch` must be at least 1, got 0"),
        ({"resolution": 7}, "`resolution` must be at least 8"),
        ({"save_minutes": float("nan")}, "`save_minutes` must be at least 0"),
        ({"optimizer": "sgd"}, "`optimizer` 'sgd' is not known; use one of: muon, adamw"),
        ({"lpips_weights": Path("absent")}, "`lpips_weights` absent: there is no such file"),
    ],
)
def test_impossible_values_and_contradictions_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainOptions(out=OUT, **given)
