"""A point whose tokens are shared by the processes that torchrun has started. The first one leads, the others follow.

Points run in these processes themselves: no point can be ended before its time, and the peak of memory is that of the
first process.
"""

from typing import Any

import torch
import torch.distributed as dist

from rfcli.study.measure.point import Point, PointWork
from rfcli.study.measure.timing import DoesNotFit
from rfcli.study.results.measurement import Sample

START, RUN, CLOSE, END = "start", "run", "close", "end"
Message = tuple[str, int, Point | None]  # what to do, with which of the points


class Followers:
    """Works of this process by number, and what it does with them when the first one says so."""

    def __init__(self) -> None:
        self._works: dict[int, PointWork] = {}

    def do(self, message: Message) -> Sample | None:
        """Every process does this at the same time. Raises DoesNotFit where one of them lacks the memory to start."""
        verb, number, point = message
        if verb == START:
            assert point is not None
            if not _everywhere(self._started(number, point)):
                self._works.pop(number, None)
                raise DoesNotFit("one of the processes has too little memory")
            self._works[number].warm_up()
        elif verb == RUN:
            dist.barrier()
            return self._works[number].run()
        elif verb == CLOSE:
            self._works.pop(number, None)
        return None

    def _started(self, number: int, point: Point) -> bool:
        try:
            self._works[number] = PointWork(point)
        except (MemoryError, torch.OutOfMemoryError):
            return False
        return True


class Leader:
    """Of the first process: makes the runners of a study, and lets the others go at the end."""

    def __init__(self) -> None:
        self._own = Followers()
        self._made = 0

    def point(self, point: Point) -> "SpreadPoint":
        self._made += 1
        return SpreadPoint(self, self._made, point)

    def tell(self, verb: str, number: int = 0, point: Point | None = None) -> Sample | None:
        """Everybody, this process too, does it."""
        message: Message = (verb, number, point)
        dist.broadcast_object_list([message])
        return self._own.do(message)

    def dismiss(self) -> None:
        """The others go on to whatever comes after `follow`."""
        self.tell(END)


class SpreadPoint:
    """The `Runner` of a point that all processes share."""

    def __init__(self, leader: Leader, number: int, point: Point) -> None:
        self._leader, self._number, self._point = leader, number, point

    def wait_until_ready(self, seconds: float) -> None:
        self._leader.tell(START, self._number, self._point)

    def run(self, seconds: float) -> Sample:
        sample = self._leader.tell(RUN, self._number)
        assert sample is not None
        return sample

    def close(self) -> None:
        self._leader.tell(CLOSE, self._number)


def follow() -> None:
    """What the other processes do until the first one dismisses them."""
    own = Followers()
    while True:
        received: list[Any] = [None]
        dist.broadcast_object_list(received)
        if received[0][0] == END:
            return
        try:
            own.do(received[0])
        except DoesNotFit:
            continue


def _everywhere(so: bool) -> bool:
    """Whether it is so in all processes."""
    answers: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(answers, so)
    return all(answers)
