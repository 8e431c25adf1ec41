"""What a dataset looks like at a glance."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.dataset.manifest import Entry
from rfcli.dataset.sample import read_sample


def preview_images(folder: str | Path, entries: Sequence[Entry], count: int) -> list[npt.NDArray[np.float32]]:
    """The first view [R, R, 3], linear, of up to `count` scenes spread evenly over the entries."""
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(count, len(entries))).astype(int))
    return [read_sample(Path(folder) / entries[i].file).images[0].astype(np.float32) for i in chosen]
