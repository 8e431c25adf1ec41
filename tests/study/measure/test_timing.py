"""Turns and budget on a simulated clock: every cost is known, so the measurements can be predicted."""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest

from rfcli.study.measure.timing import (
    DEFAULT_RUNS,
    MAX_RUNS,
    MIN_RUNS,
    WARM_UP_SECONDS,
    DoesNotFit,
    time_points,
    with_intermediate_counts,
)
from rfcli.study.results import Measurement, Sample

DOUBLINGS = [1024 << power for power in range(7)]

Cost = Callable[[int], float]


class Machine:
    """A simulated machine: a run takes `costs[name](triangles)` seconds of its clock, getting ready `start` seconds."""

    def __init__(self, costs: dict[str, Cost], start: float = 2.0, memory: int = 1 << 40) -> None:
        self.costs, self.start_seconds, self.memory = costs, start, memory
        self.now = 100.0
        self.log: list[tuple[str, int]] = []
        self.open = 0

    def clock(self) -> float:
        return self.now

    def start(self, name: str, triangles: int) -> "SimulatedRunner":
        return SimulatedRunner(self, name, triangles)


class SimulatedRunner:
    def __init__(self, machine: Machine, name: str, triangles: int) -> None:
        self.machine, self.name, self.triangles = machine, name, triangles
        self.closed = False
        machine.open += 1

    def spend(self, seconds: float, limit: float) -> None:
        self.machine.now += min(seconds, max(0.0, limit))
        if seconds > limit:
            raise DoesNotFit

    def wait_until_ready(self, seconds: float) -> None:
        assert self.machine.start_seconds <= seconds or seconds > 0
        self.spend(self.machine.start_seconds, seconds)

    def run(self, seconds: float) -> Sample:
        if self.triangles > self.machine.memory:
            raise DoesNotFit
        self.machine.log.append((self.name, self.triangles))
        cost = self.machine.costs[self.name](self.triangles)
        self.spend(cost, seconds)
        return Sample(cost, 48_000 * self.triangles, 0.25 * cost)

    def close(self) -> None:
        self.machine.open -= not self.closed
        self.closed = True


def line(n: int) -> float:
    return 5e-4 * n


def parabola(n: int) -> float:
    return 4e-4 * n + 6e-8 * n * n  # 64k: 284 s, like softmax at base size on two cores


def measured(machine: Machine, seconds: float, counts: list[int] = DOUBLINGS) -> dict[tuple[str, int], Measurement]:
    found = [
        point
        for points in time_points(machine.start, list(machine.costs), counts, seconds, clock=machine.clock)
        for point in points
    ]
    assert machine.open == 0
    return {(point.attention, point.triangles): point for point in found}


def test_operation_seconds_belong_to_the_counted_runs() -> None:
    points = measured(Machine({"a": line, "b": parabola}), 1e6, [1024, 8192])
    for point in points.values():
        assert point.operation == tuple(0.25 * seconds for seconds in point.seconds)
        assert point.floor_share == pytest.approx(0.75)


def test_large_budget_measures_every_point_repeatedly() -> None:
    machine = Machine({"sdpa": parabola, "performer": line})
    points = measured(machine, 1e6)
    assert set(points) == {(name, n) for name in ("sdpa", "performer") for n in DOUBLINGS}
    assert all(len(point.seconds) >= DEFAULT_RUNS for point in points.values())
    assert points["sdpa", 65536].seconds[0] == parabola(65536)
    assert points["sdpa", 65536].peak_bytes == 48_000 * 65536


def test_mechanisms_take_turns() -> None:
    machine = Machine({"a": line, "b": line})
    measured(machine, 1e6, [4096])
    assert all(first != second for (first, _), (second, _) in pairwise(machine.log))


@pytest.mark.parametrize("budget", [30.0, 60.0, 120.0, 300.0, 600.0, 1200.0])
@pytest.mark.parametrize("start", [0.1, 4.0])
def test_budget_is_never_exceeded(budget: float, start: float) -> None:
    machine = Machine({"sdpa": parabola, "performer": line}, start)
    begin = machine.now
    points = measured(machine, budget)
    assert machine.now - begin <= budget
    assert all(len(point.seconds) >= MIN_RUNS for point in points.values())


def test_ten_minutes_include_the_largest_linear_point_but_not_the_largest_quadratic_one() -> None:
    points = measured(Machine({"sdpa": parabola, "performer": line}, start=4.0), 592.0)
    assert ("performer", 65536) in points
    assert ("sdpa", 32768) in points
    assert ("sdpa", 65536) not in points


def test_larger_budget_gives_more_runs() -> None:
    runs = [
        sum(len(point.seconds) for point in measured(Machine({"a": line, "b": line}), budget).values())
        for budget in (200.0, 400.0, 800.0)
    ]
    assert runs[0] < runs[1] < runs[2]


def test_short_points_have_a_warm_up_run_and_long_points_count_their_first_run() -> None:
    machine = Machine({"a": line})
    points = measured(machine, 1e6, [64, 512, 4096, 32768, 65536])
    runs = defaultdict(int)
    for point in machine.log:
        runs[point] += 1
    assert line(64) < WARM_UP_SECONDS < line(65536)
    assert len(points["a", 64].seconds) == MAX_RUNS == runs["a", 64] - 1
    assert len(points["a", 65536].seconds) == DEFAULT_RUNS == runs["a", 65536]


def test_after_running_out_of_memory_larger_points_are_left_out() -> None:
    machine = Machine({"a": line, "b": parabola}, memory=8192)
    points = measured(machine, 1e6)
    assert {n for _, n in points} == {1024, 2048, 4096, 8192}
    assert max(n for _, n in machine.log) == 8192


def test_a_failing_mechanism_does_not_stop_the_others() -> None:
    def never(n: int) -> float:
        raise DoesNotFit

    points = measured(Machine({"bad": never, "good": line}), 1e6, [1024, 2048])
    assert set(points) == {("good", 1024), ("good", 2048)}


def test_a_run_that_exceeds_its_prediction_is_ended_and_not_reported() -> None:
    def suddenly_slow(n: int) -> float:
        return line(n) if n < 4096 else 1e9

    machine = Machine({"a": suddenly_slow})
    begin = machine.now
    points = measured(machine, 60.0)
    assert set(points) == {("a", 1024), ("a", 2048)}
    assert machine.now - begin <= 60.0


def test_finished_points_are_not_measured_again_but_used_for_prediction() -> None:
    finished = [Measurement("a", n, (line(n), line(n)), None) for n in (1024, 2048)]
    machine = Machine({"a": line})
    new = list(time_points(machine.start, ["a"], [1024, 2048, 4096], 1e6, finished, clock=machine.clock))
    assert [[point.triangles for point in points] for points in new] == [[4096]]
    assert {n for _, n in machine.log} == {4096}


def test_intermediate_counts_are_run_once_and_not_reported() -> None:
    assert with_intermediate_counts(DOUBLINGS) == DOUBLINGS
    assert with_intermediate_counts([64, 30_000]) == [64, 512, 4096, 30_000]
    assert with_intermediate_counts([65536]) == [1024, 8192, 65536]
    machine = Machine({"sdpa": parabola, "performer": line})
    points = measured(machine, 300.0, [64, 65536])
    assert set(points) == {("sdpa", 64), ("performer", 64), ("performer", 65536)}
    assert machine.log.count(("sdpa", 8192 // 2)) == 1
    assert ("sdpa", 65536) not in machine.log  # 2 x 284 s, which was predicted


def test_runners_are_closed_on_an_interrupt() -> None:
    def interrupted(n: int) -> float:
        raise KeyboardInterrupt

    machine = Machine({"a": line, "b": interrupted})
    with pytest.raises(KeyboardInterrupt):
        list(time_points(machine.start, ["a", "b"], [1024], 1e6, clock=machine.clock))
    assert machine.open == 0


def test_progress_names_the_point_and_stays_within_the_budget() -> None:
    machine = Machine({"a": line, "b": parabola})
    calls: list[tuple[float, float, str]] = []
    points = time_points(
        machine.start,
        ["a", "b"],
        DOUBLINGS,
        300.0,
        clock=machine.clock,
        on_progress=lambda *arguments: calls.append(arguments),
    )
    list(points)
    assert len(calls) == len(machine.log)  # there are no intermediate counts between doublings
    assert "a, 1,024 triangles" in calls[0][2]
    assert all(0 <= spent <= expected <= 300.0 + 1e-9 for spent, expected, _ in calls)
