"""The order of scenes: complete, fixed by the seed, and with little padding."""

import numpy as np
import pytest

from rfcli.dataset.batching import epoch_batches, padding_share


@pytest.mark.parametrize(("scenes", "batch"), [(1, 8), (8, 8), (100, 8), (257, 3), (5, 1)])
def test_every_scene_once_an_epoch(scenes: int, batch: int) -> None:
    sizes = np.random.default_rng(0).integers(200, 2000, scenes)
    batches = epoch_batches(sizes, batch, seed=1, epoch=0)
    assert sorted(np.concatenate(batches)) == list(range(scenes))
    assert len(batches) == -(-scenes // batch)
    assert max(map(len, batches)) <= batch


def test_seed_and_epoch_decide() -> None:
    sizes = np.arange(50)

    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(epoch_batches(sizes, 4, seed, epoch)).tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 1)


def test_batches_hold_scenes_of_one_size() -> None:
    """Share of the places that hold padding: a third of what a random order wastes, or less."""
    sizes = np.exp(np.random.default_rng(0).uniform(np.log(256), np.log(1536), 800)).astype(np.int64)

    def waste(batches: list[np.ndarray]) -> float:
        return 1 - sizes.sum() / sum(len(batch) * sizes[batch].max() for batch in batches)

    random = np.split(np.random.default_rng(1).permutation(800), 100)
    assert waste(epoch_batches(sizes, 8, 0, 0)) < waste(random) / 3


def test_padding_share() -> None:
    """Two batches, of 1 and 2 and of 3 and 4 triangles: two of twelve places are empty."""
    assert padding_share(np.array([4, 1, 3, 2]), 2, seed=0) == pytest.approx(2 / 12)
    assert padding_share(np.array([7, 7, 7]), 2, seed=0) == 0
