"""Shares of a batch, and a process by itself; tests/training/test_processes.py runs several."""

import pytest
import torch

from rfcli.runtime.processes import SINGLE_PROCESS, Processes


@pytest.mark.parametrize(("scenes", "count"), [(1, 1), (5, 2), (8, 4), (2, 3)])
def test_shares_cover_the_batch_and_their_weights_sum_to_1(scenes: int, count: int) -> None:
    shares = [Processes(rank, count).share(scenes) for rank in range(count)]
    assert sorted(index for own, weight in shares if weight for index in own) == list(range(scenes))
    assert sum(weight for _, weight in shares) == pytest.approx(1)
    assert all(len(own) >= 1 for own, _ in shares)


def test_single_process_reduces_to_its_own_values() -> None:
    value = torch.tensor([1.0, 2.0])
    SINGLE_PROCESS.all_reduce([value])
    assert value.tolist() == [1.0, 2.0]
    assert SINGLE_PROCESS.any(torch.device("cpu"), True, False) == [True, False]
    assert SINGLE_PROCESS.first
    assert not SINGLE_PROCESS.orphaned
