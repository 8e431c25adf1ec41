"""Times many points within a budget of seconds: in interleaved rounds, and only points that are predicted to fit.

A point is one mechanism at one triangle count.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import ceil, inf
from statistics import median
from typing import Protocol, TypeAlias

from rfcli.study.results.fits import evaluate, polynomial
from rfcli.study.results.measurement import Measurement, Sample

MIN_RUNS = 2  # of a point: below this there is no interval
DEFAULT_RUNS = 5
MAX_RUNS = 15
TARGET_SECONDS = 3.0  # of timed runs at one point: short points get more than DEFAULT_RUNS
PREDICTION_MARGIN = 1.1  # a run may take this factor longer than predicted
FEASIBLE_TRIANGLES = 128  # any machine can run these, without a prediction
MAX_STRIDE = 8  # factor between triangle counts over which seconds can be predicted
WARM_UP_SECONDS = 2.0  # in longer runs the overhead of a first run is negligible, and the first run counts

OnProgress: TypeAlias = Callable[[float, float, str], None]  # seconds spent, seconds expected in all, current work


class DoesNotFit(Exception):  # noqa: N818 - not an error: such a point is extrapolated
    """A point cannot be measured: out of memory or out of time."""


class Runner(Protocol):
    """Runs one point, in its own process or in this one."""

    def wait_until_ready(self, seconds: float) -> None:
        """Return as soon as `run` can be called.

        Args:
            seconds: Maximum time to wait.

        Raises:
            DoesNotFit: Memory or time ran out.
        """

    def run(self, seconds: float) -> Sample:
        """Run the point once.

        Args:
            seconds: Maximum time of the run.

        Returns:
            Its seconds and memory.

        Raises:
            DoesNotFit: Memory or time ran out.
        """

    def close(self) -> None:
        """Free all resources."""


def time_points(
    start: Callable[[str, int], Runner],
    attentions: Sequence[str],
    counts: Sequence[int],
    seconds: float,
    finished: Sequence[Measurement] = (),
    on_progress: OnProgress = lambda spent, expected, event: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[Measurement]]:
    """Measure every mechanism at every triangle count, as far as the seconds last.

    Counts are visited in ascending order, so that measured points predict the next: a point is started only if
    MIN_RUNS of it are predicted to fit besides all cheaper ones; others are left out. At each count the mechanisms take
    turns (A B A B ...), so that a slow minute of the machine affects all of them. Between counts that are far apart
    single runs at intermediate counts improve the prediction.

    Args:
        start: Creates the runner of a mechanism at a triangle count.
        attentions: Names of the mechanisms.
        counts: Triangle counts.
        seconds: Budget for everything.
        finished: Points that are already known; they are not measured again.
        on_progress: Called before every run.
        clock: Monotonic clock, in seconds.

    Yields:
        The new points of each count.
    """
    budget = Budget(seconds, attentions, sorted(counts), clock)
    for known in finished:
        budget.runs[known.attention, known.triangles] = list(known.seconds)
    for count in with_intermediate_counts(budget.counts):
        missing = [name for name in attentions if (name, count) not in budget.runs]
        if count not in budget.counts:
            single = [name for name in missing if budget.allows_single_run(name, count)]
            with _ready_runners(budget, start, single, count) as ready:
                for name in list(ready):
                    with _giving_up(budget, ready, name, count):
                        budget.runs[name, count] = [ready[name].run(budget.left()).seconds]
            continue
        affordable = budget.affordable_points()
        for name in missing:
            if (name, count) not in affordable:
                budget.give_up(name, count)
        with _ready_runners(budget, start, [name for name in missing if (name, count) in affordable], count) as ready:
            measured = _take_turns(budget, ready, count, on_progress)
        if measured:
            yield measured


class Budget:
    """Seconds to spend on points, and predictions of their cost.

    clock: monotonic, in seconds. The budget starts when this object is created.
    """

    def __init__(
        self, seconds: float, attentions: Sequence[str], counts: Sequence[int], clock: Callable[[], float]
    ) -> None:
        self.seconds, self.counts, self._clock = seconds, counts, clock
        self._start = clock()
        self._limit = dict.fromkeys(attentions, inf)  # points of each mechanism from this count on are left out
        self.runs: dict[tuple[str, int], list[float]] = {}  # seconds of the runs of each point
        self.start_seconds = 4.0  # until a runner is ready; a guess, then that of the last one

    def spent(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def left(self) -> float:
        """Seconds until the end; negative after it."""
        return self.seconds - self.spent()

    def predicted(self, attention: str, triangles: int) -> float:
        """Predicted seconds of one run; 0 if the mechanism has no runs yet."""
        known = {n: median(runs) for (name, n), runs in self.runs.items() if name == attention and runs}
        if triangles in known or not known:
            return known.get(triangles, 0.0)
        if len(known) >= 3:
            return evaluate(polynomial(list(known), list(known.values())), triangles)
        largest = max(known)
        return known[largest] * max(1.0, triangles / largest) ** 2  # attention grows at most quadratically

    def give_up(self, attention: str, triangles: int) -> None:
        """Leave out the points of this mechanism from this count on."""
        self._limit[attention] = min(self._limit[attention], triangles)

    def affordable_points(self, above: int = 0) -> set[tuple[str, int]]:
        """Points above a triangle count, not yet run, for which MIN_RUNS fit into the time left, cheapest first."""
        costs = sorted(
            (self.start_seconds + MIN_RUNS * PREDICTION_MARGIN * self.predicted(attention, count), count, attention)
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

    def allows_single_run(self, attention: str, triangles: int) -> bool:
        """Whether a run at an intermediate count is predicted to fit, and larger points are still to be measured."""
        cost = self.start_seconds + PREDICTION_MARGIN * self.predicted(attention, triangles)
        return triangles < min(self._limit[attention], max(self.counts)) and cost < self.left()

    def allows_run(self, attention: str, triangles: int) -> bool:
        """Whether one more run is predicted to fit into the time left."""
        predicted = PREDICTION_MARGIN * self.predicted(attention, triangles)
        return triangles < self._limit[attention] and predicted < self.left()

    def reserved(self, above: int) -> float:
        """Minimum seconds that the affordable points above a triangle count need."""
        points = self.affordable_points(above)
        return sum(self.start_seconds + MIN_RUNS * PREDICTION_MARGIN * self.predicted(*point) for point in points)

    def rounds(self, attentions: Sequence[str], triangles: int) -> int:
        """Timed runs of each of these mechanisms at this count; seconds for larger points stay reserved."""
        each = [self.predicted(attention, triangles) for attention in attentions]
        shortest = max(min(each), 1e-9)
        wanted = min(MAX_RUNS, max(DEFAULT_RUNS, ceil(TARGET_SECONDS / shortest)))
        possible = (self.left() - self.reserved(triangles)) / max(PREDICTION_MARGIN * sum(each), 1e-9)
        return max(MIN_RUNS, min(wanted, int(possible)))


def with_intermediate_counts(counts: Sequence[int]) -> list[int]:
    """The counts, and others between and below them so that each is at most MAX_STRIDE times the one before.

    counts: ascending. Seconds cannot be predicted over a larger step.
    """
    visited: list[int] = []
    last = FEASIBLE_TRIANGLES
    for count in counts:
        while count > MAX_STRIDE * last:
            last *= MAX_STRIDE
            visited.append(last)
        visited.append(count)
        last = count
    return visited


@contextmanager
def _ready_runners(
    budget: Budget, start: Callable[[str, int], Runner], names: Sequence[str], count: int
) -> Iterator[dict[str, Runner]]:
    """Ready runners at one count, closed at the end. Mechanisms whose runner does not get ready are given up."""
    with ExitStack() as closing:
        left = budget.left()
        ready = {}
        for name in names:  # all are started before the first wait, so that they get ready in parallel
            ready[name] = start(name, count)
            closing.callback(ready[name].close)
        for name in names:
            with _giving_up(budget, ready, name, count):
                ready[name].wait_until_ready(budget.left())
        if ready:
            budget.start_seconds = (left - budget.left()) / len(ready)
        yield ready


def _take_turns(budget: Budget, ready: dict[str, Runner], count: int, on_progress: OnProgress) -> list[Measurement]:
    """Interleaved runs at one count, as many as the budget allows."""
    names = list(ready)
    peaks: dict[str, int | None] = {}
    operations: dict[str, list[float]] = {name: [] for name in names}
    views: dict[str, list[float]] = {name: [] for name in names}

    def run(name: str, remaining_rounds: int) -> None:
        rest = budget.reserved(count) + remaining_rounds * sum(budget.predicted(other, count) for other in ready)
        on_progress(budget.spent(), budget.spent() + min(rest, budget.left()), f"{name}, {count:,} triangles")
        with _giving_up(budget, ready, name, count):
            sample = ready[name].run(budget.left())
            budget.runs.setdefault((name, count), []).append(sample.seconds)
            peaks[name] = sample.peak_bytes
            operations[name].append(sample.operation)
            views[name].append(sample.view)

    for name in names:
        run(name, MIN_RUNS)
    rounds = budget.rounds(list(ready), count) if ready else 0
    for name in ready:
        if budget.runs[name, count][0] < WARM_UP_SECONDS:
            budget.runs[name, count].clear()
            operations[name].clear()
            views[name].clear()
    for turn in range(rounds):
        for name in list(ready):
            if len(budget.runs[name, count]) < rounds:
                run(name, rounds - turn)
    runs = {name: budget.runs.get((name, count), []) for name in names}
    return [
        Measurement(name, count, tuple(seconds), peaks[name], tuple(operations[name]), tuple(views[name]))
        for name, seconds in runs.items()
        if len(seconds) >= MIN_RUNS
    ]


@contextmanager
def _giving_up(budget: Budget, ready: dict[str, Runner], name: str, count: int) -> Iterator[None]:
    """If the point does not fit after all, close its runner and leave out the mechanism's larger points."""
    try:
        yield
    except DoesNotFit:
        budget.give_up(name, count)
        ready.pop(name).close()
