"""What can still be measured in the time that is left, judged by what has been measured so far.

Timing many points inside a budget: interleaved rounds, and no point begun that would not end in time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import ceil, inf
from statistics import median
from typing import Protocol

from rfcli.study.results.fits import evaluate, polynomial
from rfcli.study.results.measurement import Measurement, Sample

LEAST_RUNS = 2  # below this there is no interval
USUAL_RUNS = 5
MOST_RUNS = 15  # of points that take no time
ENOUGH_SECONDS = 3.0  # of timed runs at one point: short points get more runs than USUAL_RUNS
MARGIN = 1.1  # what a run may take above its prediction


class Budget:
    """Seconds to spend on points (attention, triangles), ascending in triangles.

    clock: seconds, monotonic. Time starts when this object is made.
    """

    def __init__(
        self, seconds: float, attentions: Sequence[str], counts: Sequence[int], clock: Callable[[], float]
    ) -> None:
        self.seconds, self.counts, self._clock = seconds, counts, clock
        self._begun = clock()
        self._limit = dict.fromkeys(attentions, inf)  # each mechanism is given up from this count on
        self.runs: dict[tuple[str, int], list[float]] = {}  # seconds of the runs of each point
        self.start_seconds = 4.0  # what it takes to get ready for a point; the last one's, once there is one

    def spent(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begun

    def left(self) -> float:
        """Seconds until the end; negative past it."""
        return self.seconds - self.spent()

    def expected(self, attention: str, triangles: int) -> float:
        """Predicted seconds of one run; 0 where nothing of this mechanism is known yet."""
        known = {n: median(runs) for (name, n), runs in self.runs.items() if name == attention and runs}
        if triangles in known or not known:
            return known.get(triangles, 0.0)
        if len(known) >= 3:
            return evaluate(polynomial(list(known), list(known.values())), triangles)
        last = max(known)
        return known[last] * max(1.0, triangles / last) ** 2  # the worst that attention does

    def give_up(self, attention: str, triangles: int) -> None:
        """Measure no point of this mechanism from this count on."""
        self._limit[attention] = min(self._limit[attention], triangles)

    def affordable(self, above: int = 0) -> set[tuple[str, int]]:
        """Points above a triangle count, not yet run, of which LEAST_RUNS fit into what is left, cheapest first."""
        costs = sorted(
            (self.start_seconds + LEAST_RUNS * MARGIN * self.expected(attention, count), count, attention)
            for attention, limit in self._limit.items()
            for count in self.counts
            if above < count < limit and (attention, count) not in self.runs
        )
        chosen, total = set(), 0.0
        for cost, count, attention in costs:
            total += cost
            if total > self.left():
                break
            chosen.add((attention, count))
        return chosen

    def allows_one(self, attention: str, triangles: int) -> bool:
        """Whether a single run is expected to fit into what is left, on the way to larger points that are wanted."""
        cost = self.start_seconds + MARGIN * self.expected(attention, triangles)
        return triangles < min(self._limit[attention], max(self.counts)) and cost < self.left()

    def affords(self, attention: str, triangles: int) -> bool:
        """Whether one more run is expected to fit into what is left."""
        return triangles < self._limit[attention] and MARGIN * self.expected(attention, triangles) < self.left()

    def reserve(self, above: int) -> float:
        """Seconds that the affordable points above a triangle count need at least."""
        points = self.affordable(above)
        return sum(self.start_seconds + LEAST_RUNS * MARGIN * self.expected(*point) for point in points)

    def rounds(self, attentions: Sequence[str], triangles: int) -> int:
        """Timed runs that each of these mechanisms is to have at this count, the reserve for later points kept."""
        each = [self.expected(attention, triangles) for attention in attentions]
        shortest = max(min(each), 1e-9)
        wanted = min(MOST_RUNS, max(USUAL_RUNS, ceil(ENOUGH_SECONDS / shortest)))
        possible = (self.left() - self.reserve(triangles)) / max(MARGIN * sum(each), 1e-9)
        return max(LEAST_RUNS, min(wanted, int(possible)))


SURELY_FEASIBLE = 128  # triangles that any machine can do
STRIDE = 8  # from one count to the next, of which nothing is known yet
WARM_UP_BELOW = 2.0  # seconds: what happens in a first run only does not disturb one that is longer; it counts


class DoesNotFit(Exception):  # noqa: N818 - not an error: such a point is extrapolated
    """A point cannot be measured: out of memory or out of time."""


class Runner(Protocol):
    """One point, in a place of its own."""

    def wait_until_ready(self, seconds: float) -> None:
        """Return once `run` can be called. Raises DoesNotFit after that many seconds or where memory runs out."""

    def run(self, seconds: float) -> Sample:
        """Run the stage once. Raises DoesNotFit as `wait_until_ready` does."""

    def close(self) -> None:
        """Give everything back."""


Report = Callable[[float, float, str], None]  # seconds spent, seconds expected in all, what is going on


def time_points(
    start: Callable[[str, int], Runner],
    attentions: Sequence[str],
    counts: Sequence[int],
    seconds: float,
    finished: Sequence[Measurement] = (),
    report: Report = lambda spent, expected, event: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[Measurement]]:
    """Measure every mechanism at every count, as far as `seconds` go; yields the points of each count in turn.

    Counts come in ascending order, so that what is measured predicts what comes: a point is begun only where
    LEAST_RUNS of it are expected to fit beside all cheaper ones. At each count the mechanisms take turns
    (A B A B ...), so that a slow minute of the machine falls on all of them. What does not fit is left out. Between
    counts that lie far apart there are runs that only serve prediction.

    start: makes the runner of a mechanism at a count. finished: points that are known already and not measured again.
    """
    budget = Budget(seconds, attentions, sorted(counts), clock)
    for known in finished:
        budget.runs[known.attention, known.triangles] = list(known.seconds)
    for count in with_stepping_stones(budget.counts):
        missing = [name for name in attentions if (name, count) not in budget.runs]
        if count not in budget.counts:
            with _opened(budget, start, [name for name in missing if budget.allows_one(name, count)], count) as ready:
                for name in list(ready):
                    with _giving_up(budget, ready, name, count):
                        budget.runs[name, count] = [ready[name].run(budget.left()).seconds]
            continue
        affordable = budget.affordable()
        for name in missing:
            if (name, count) not in affordable:
                budget.give_up(name, count)
        with _opened(budget, start, [name for name in missing if (name, count) in affordable], count) as ready:
            measured = _take_turns(budget, ready, count, report)
        if measured:
            yield measured


def with_stepping_stones(counts: Sequence[int]) -> list[int]:
    """The counts, ascending, and others between them and below the first, so that none is more than STRIDE times the
    one before: a leap further than that cannot be predicted."""
    visited: list[int] = []
    last = SURELY_FEASIBLE
    for count in counts:
        while count > STRIDE * last:
            last *= STRIDE
            visited.append(last)
        visited.append(count)
        last = count
    return visited


@contextmanager
def _opened(
    budget: Budget, start: Callable[[str, int], Runner], names: Sequence[str], count: int
) -> Iterator[dict[str, Runner]]:
    """Runners at one count that are ready; closed at the end. Those that do not get ready are given up."""
    with ExitStack() as closing:
        asked = budget.left()
        ready = {}
        for name in names:  # all at once, so that they get ready side by side
            ready[name] = start(name, count)
            closing.callback(ready[name].close)
        for name in names:
            with _giving_up(budget, ready, name, count):
                ready[name].wait_until_ready(budget.left())
        if ready:
            budget.start_seconds = (asked - budget.left()) / len(ready)
        yield ready


def _take_turns(budget: Budget, ready: dict[str, Runner], count: int, report: Report) -> list[Measurement]:
    """Interleaved runs at one count, as many as the budget allows."""
    everyone = list(ready)
    peaks: dict[str, int | None] = {}
    operations: dict[str, list[float]] = {name: [] for name in ready}
    views: dict[str, list[float]] = {name: [] for name in ready}

    def run(name: str, rounds_to_come: int) -> None:
        rest = budget.reserve(count) + rounds_to_come * sum(budget.expected(other, count) for other in ready)
        report(budget.spent(), budget.spent() + min(rest, budget.left()), f"{name}, {count:,} triangles")
        with _giving_up(budget, ready, name, count):
            sample = ready[name].run(budget.left())
            budget.runs.setdefault((name, count), []).append(sample.seconds)
            peaks[name] = sample.peak_bytes
            operations[name].append(sample.operation)
            views[name].append(sample.view)

    for name in everyone:
        run(name, LEAST_RUNS)
    rounds = budget.rounds(list(ready), count) if ready else 0
    for name in ready:
        if budget.runs[name, count][0] < WARM_UP_BELOW:
            budget.runs[name, count].clear()
            operations[name].clear()
            views[name].clear()
    for turn in range(rounds):
        for name in list(ready):
            if len(budget.runs[name, count]) < rounds:
                run(name, rounds - turn)
    runs = {name: budget.runs.get((name, count), []) for name in everyone}
    return [
        Measurement(name, count, tuple(seconds), peaks[name], tuple(operations[name]), tuple(views[name]))
        for name, seconds in runs.items()
        if len(seconds) >= LEAST_RUNS
    ]


@contextmanager
def _giving_up(budget: Budget, ready: dict[str, Runner], name: str, count: int) -> Iterator[None]:
    """Where the point does not fit after all, end it and leave out the mechanism's larger points."""
    try:
        yield
    except DoesNotFit:
        budget.give_up(name, count)
        ready.pop(name).close()
