"""The learning rate against its formula at the points that matter."""

import itertools

import pytest

from rfcli.errors import InputError
from rfcli.training.schedule import learning_rate


def test_shape() -> None:
    rates = [learning_rate(step, 110, 10, 1e-3) for step in range(110)]
    assert rates[:10] == pytest.approx([1e-4 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(1e-3)
    assert rates[60] == pytest.approx(1e-3 * (0.01 + 0.99 / 2))
    assert rates[-1] < 1.3e-5
    assert all(earlier > later for earlier, later in itertools.pairwise(rates[10:]))


def test_no_warm_up_starts_at_the_peak() -> None:
    assert learning_rate(0, 5, 0, 1.0) == 1.0


@pytest.mark.parametrize("warmup", [10, 11, -1])
def test_a_warm_up_that_is_not_shorter_than_the_run(warmup: int) -> None:
    with pytest.raises(InputError, match=f"--warmup {warmup} must be shorter than the run of 10 steps"):
        learning_rate(0, 10, warmup, 1.0)
