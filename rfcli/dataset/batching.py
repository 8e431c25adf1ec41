"""Held-out scenes, and the order and the batches of the training scenes."""

import numpy as np
import numpy.typing as npt

VALIDATION_EVERY = 16
BATCHES_PER_POOL = 8  # scenes of a pool are sorted by size, so that scenes of one batch need little padding


def is_validation(index: int) -> bool:
    """Whether a scene is held out for validation: every sixteenth, starting with 0 so that every dataset has one.

    Args:
        index: Number of the scene in its dataset. Adding scenes to a dataset never moves a scene to the other side.

    Returns:
        True if the scene must not be used for training.
    """
    return index % VALIDATION_EVERY == 0


def epoch_batches(sizes: npt.NDArray[np.int64], batch: int, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
    """Batches of one epoch, each of scenes of similar size.

    The result depends on the arguments alone, so a resumed run uses the same batches.

    Args:
        sizes: [S] number of triangles of each scene.
        batch: Scenes per batch; the last batch of a pool may be smaller.
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.

    Returns:
        Batches in random order, each an array of scene indices; every scene appears once.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(sizes))
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), batch * BATCHES_PER_POOL):
        pool = order[start : start + batch * BATCHES_PER_POOL]
        pool = pool[np.argsort(sizes[pool], kind="stable")]
        batches += [pool[i : i + batch] for i in range(0, len(pool), batch)]
    return [batches[i] for i in rng.permutation(len(batches))]


def padding_share(sizes: npt.NDArray[np.int64], batch: int, seed: int) -> float:
    """Share of triangle slots that are padding in the first epoch; arguments as of `epoch_batches`."""
    batches = epoch_batches(sizes, batch, seed, epoch=0)
    return float(1 - sizes.sum() / sum(len(chosen) * sizes[chosen].max() for chosen in batches))
