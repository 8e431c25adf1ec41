"""Comparison of two studies, of two machines or two versions: which differences are larger than noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rfcli.errors import InputError
from rfcli.study.results.files import Results
from rfcli.study.results.fits import RESAMPLES, Floats, interval

SEEDS = (1, 2)  # of the two bootstraps, which must not be correlated


@dataclass(frozen=True)
class Difference:
    """One mechanism at one triangle count in both studies.

    Attributes:
        attention: Name of the curve; see `Measurement`.
        triangles: Triangle count.
        first: Median seconds in the first study.
        second: Median seconds in the second study.
        ratio: second / first.
        low: Low end of the ratio's 95 % interval, from the runs of both studies.
        high: High end of the ratio's 95 % interval.
    """

    attention: str
    triangles: int
    first: float
    second: float
    ratio: float
    low: float
    high: float

    @property
    def outside_noise(self) -> bool:
        """Whether 1 is outside the interval.

        The interval covers only the noise between the runs of a study, and one point in twenty is outside by chance.
        """
        return not self.low <= 1.0 <= self.high


def differences(first: Results, second: Results) -> list[Difference]:
    """Compare the seconds of the stage in two studies.

    Args:
        first: A study.
        second: A study of the same model and number of layers.

    Returns:
        A difference for every point that both have measured, in the order of the first.

    Raises:
        InputError: The studies are of different stages, or have no measured point in common.
    """
    for name in ("model", "layers", "model_layers"):
        if first.setup[name] != second.setup[name]:
            raise InputError(
                f"`compare`: one study has {name} {first.setup[name]}, the other {second.setup[name]}; "
                "compare studies of the same model and layers."
            )
    others = {(point.attention, point.triangles): point for point in second.measurements}
    found = []
    for one in first.measurements:
        other = others.get((one.attention, one.triangles))
        if other is None:
            continue
        low, high = interval(_resampled_ratios(one.seconds, other.seconds))
        medians = one.median_seconds, other.median_seconds
        found.append(Difference(one.attention, one.triangles, *medians, medians[1] / medians[0], low, high))
    if not found:
        raise InputError("`compare`: the two studies have no measured point in common; give them the same counts.")
    return found


def _resampled_ratios(first: Sequence[float], second: Sequence[float]) -> Floats:
    """[RESAMPLES] ratios of medians of runs, drawn again with replacement."""
    medians = []
    for runs, seed in zip((first, second), SEEDS, strict=True):
        resampled = np.random.default_rng(seed).choice(np.asarray(runs), (RESAMPLES, len(runs)))
        medians.append(np.median(resampled, axis=1))
    return np.asarray(medians[1] / medians[0])
