"""What can still be measured in the time that is left, judged by what has been measured so far."""

from collections.abc import Callable, Sequence
from math import ceil, inf
from statistics import median

from rfcli.study.fits import evaluate, polynomial

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
