"""In which order scenes are seen, and how scenes of different sizes stand in one batch."""

import numpy as np
import numpy.typing as npt

POOL = 8  # batches per pool: scenes of a pool are sorted by size, so that one batch needs little padding


def epoch_batches(sizes: npt.NDArray[np.int64], batch: int, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
    """Every scene once, in batches of `batch` (the last ones may be smaller), as indices.

    sizes [S]: triangles of each scene. The order depends on seed and epoch alone, so a resumed run goes on exactly.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(sizes))
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), batch * POOL):
        pool = order[start : start + batch * POOL]
        pool = pool[np.argsort(sizes[pool], kind="stable")]
        batches += [pool[i : i + batch] for i in range(0, len(pool), batch)]
    return [batches[i] for i in rng.permutation(len(batches))]


def padding_share(sizes: npt.NDArray[np.int64], batch: int, seed: int) -> float:
    """Share of the places for triangles that hold none, over the first epoch."""
    batches = epoch_batches(sizes, batch, seed, epoch=0)
    return float(1 - sizes.sum() / sum(len(chosen) * sizes[chosen].max() for chosen in batches))
