"""Two studies beside each other, of two machines or two versions: which differences are more than noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rfcli.errors import InputError
from rfcli.study.results import fits
from rfcli.study.results.files import Results

FIRST_SEED, SECOND_SEED = 1, 2  # of the two bootstraps, which must not be correlated


@dataclass(frozen=True)
class Difference:
    """One mechanism at one count in both studies.

    first, second: median seconds. ratio: second / first with its 95 % interval, low to high, from the runs of both.
    outside_noise: 1 is not within the interval. It knows the noise between the runs of a study only, and one in
    twenty points differs by chance.
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
        return not self.low <= 1.0 <= self.high


def differences(first: Results, second: Results) -> list[Difference]:
    """One for every point that was measured in both, in the order of the first.

    Raises InputError where the studies are of different stages, or have no point in common.
    """
    for name in ("model", "layers", "model_layers"):
        if first.setup[name] != second.setup[name]:
            raise InputError(
                f"--compare: one study has {name} {first.setup[name]}, the other {second.setup[name]}; "
                "compare studies of the same model and layers."
            )
    others = {(point.attention, point.triangles): point for point in second.measurements}
    pairs = [(one, others.get((one.attention, one.triangles))) for one in first.measurements]
    found = []
    for one, other in pairs:
        if other is None:
            continue
        draws = _draws(one.seconds, other.seconds)
        low, high = fits.interval(draws)
        ratio = other.typical / one.typical
        found.append(Difference(one.attention, one.triangles, one.typical, other.typical, ratio, low, high))
    if not found:
        raise InputError("--compare: the two studies have no measured point in common; give them the same counts.")
    return found


def _draws(first: Sequence[float], second: Sequence[float]) -> fits.Floats:
    """[DRAWS] ratios of medians of runs drawn again with replacement."""
    medians = []
    for runs, seed in ((first, FIRST_SEED), (second, SECOND_SEED)):
        drawn = np.random.default_rng(seed).choice(np.asarray(runs), (fits.DRAWS, len(runs)))
        medians.append(np.median(drawn, axis=1))
    return np.asarray(medians[1] / medians[0])
