"""`rf train --overfit`, as one types it to see whether anything is learned at all."""

import json

import pytest

from rfcli.training.options import ALL_SCENES, BY_HEART, usual_steps
from tests.cli.conftest import Rf


@pytest.mark.parametrize(
    ("overfit", "steps"), [(0, ALL_SCENES), (1, BY_HEART), (4, BY_HEART), (5, 2 * BY_HEART), (10**6, ALL_SCENES)]
)
def test_steps_that_nobody_has_named(overfit: int, steps: int) -> None:
    assert usual_steps(overfit, batch=4) == steps


@pytest.mark.long
def test_one_scene_is_learned_by_heart_in_minutes(rf: Rf) -> None:
    made = rf("gen-data", "--scenes", 2, "--resolution", 64, "--spp", 32, "--seed", 11, "--triangles", "256-2k")
    assert made.exit_code == 0, made.output
    trained = rf("train", "--overfit", 1, "--json")
    assert trained.exit_code == 0, trained.output
    receipt = json.loads(trained.stdout)
    assert receipt["steps"] == BY_HEART
    assert receipt["validation"]["psnr"] > 35
    assert receipt["validation"]["psnr_without_attention"] < 25
