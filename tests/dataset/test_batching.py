"""Order and batches of scenes, and the held-out scenes."""

import numpy as np
import pytest

from rfcli.dataset.batching import epoch_batches, is_validation, padding_share


@pytest.mark.parametrize(("scenes", "batch"), [(1, 8), (8, 8), (100, 8), (257, 3), (5, 1)])
def test_an_epoch_holds_every_scene_once(scenes: int, batch: int) -> None:
    sizes = np.random.default_rng(0).integers(200, 2000, scenes)
    batches = epoch_batches(sizes, batch, seed=1, epoch=0)
    assert sorted(np.concatenate(batches)) == list(range(scenes))
    assert len(batches) == -(-scenes // batch)
    assert max(map(len, batches)) <= batch


def test_order_depends_on_seed_and_epoch_alone() -> None:
    sizes = np.arange(50)

    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(epoch_batches(sizes, 4, seed, epoch)).tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 1)


def test_batches_hold_scenes_of_similar_size() -> None:
    """Padding is less than a third of that of random batches."""
    sizes = np.exp(np.random.default_rng(0).uniform(np.log(256), np.log(1536), 800)).astype(np.int64)

    def padding(batches: list[np.ndarray]) -> float:
        return 1 - sizes.sum() / sum(len(batch) * sizes[batch].max() for batch in batches)

    random = np.split(np.random.default_rng(1).permutation(800), 100)
    assert padding(epoch_batches(sizes, 8, 0, 0)) < padding(random) / 3


def test_padding_share() -> None:
    """Two batches, of 1 and 2 and of 3 and 4 triangles: two of twelve slots are padding."""
    assert padding_share(np.array([4, 1, 3, 2]), 2, seed=0) == pytest.approx(2 / 12)
    assert padding_share(np.array([7, 7, 7]), 2, seed=0) == 0


def test_every_sixteenth_scene_is_held_out_starting_with_0() -> None:
    assert sum(is_validation(i) for i in range(1600)) == 100
    assert is_validation(0)
    assert not is_validation(1)
