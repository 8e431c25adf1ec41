"""Points whose tokens are shared by the processes that torchrun has started: rank 0 leads, all others follow.

Points run in these processes themselves, so a point cannot be ended early, and its peak memory is that of rank 0.
"""

from typing import Any

import torch
import torch.distributed as dist

from rfcli.study.measure.point import Point, PointWork
from rfcli.study.measure.timing import DoesNotFit
from rfcli.study.results.measurement import Sample

START, RUN, CLOSE, END = "start", "run", "close", "end"
Message = tuple[str, int, Point | None]  # command, number of the point, the point itself for START


class Leader:
    """Rank 0: creates the runners of a study, and sends every command to all processes."""

    def __init__(self) -> None:
        self._points = _Points()
        self._created = 0

    def point(self, point: Point) -> "DistributedPoint":
        """The runner of a point.

        Args:
            point: The point to run.

        Returns:
            The runner; no process has started the point yet.
        """
        self._created += 1
        return DistributedPoint(self, self._created, point)

    def broadcast(self, command: str, number: int = 0, point: Point | None = None) -> Sample | None:
        """Execute a command in every process, including this one."""
        message: Message = (command, number, point)
        dist.broadcast_object_list([message])
        return self._points.execute(message)

    def dismiss(self) -> None:
        """Let `follow` return in all other processes."""
        self.broadcast(END)


class DistributedPoint:
    """The `Runner` of a point that all processes share."""

    def __init__(self, leader: Leader, number: int, point: Point) -> None:
        self._leader, self._number, self._point = leader, number, point

    def wait_until_ready(self, seconds: float) -> None:
        self._leader.broadcast(START, self._number, self._point)

    def run(self, seconds: float) -> Sample:
        sample = self._leader.broadcast(RUN, self._number)
        assert sample is not None
        return sample

    def close(self) -> None:
        self._leader.broadcast(CLOSE, self._number)


def follow() -> None:
    """Execute the leader's commands until `Leader.dismiss`; all ranks but 0 call this."""
    points = _Points()
    while True:
        received: list[Any] = [None]
        dist.broadcast_object_list(received)
        if received[0][0] == END:
            return
        try:
            points.execute(received[0])
        except DoesNotFit:
            continue


class _Points:
    """The started points of one process, by number."""

    def __init__(self) -> None:
        self._works: dict[int, PointWork] = {}

    def execute(self, message: Message) -> Sample | None:
        """Execute a command, at the same time in every process.

        Raises DoesNotFit in all of them if one has too little memory to start the point.
        """
        command, number, point = message
        if command == START:
            assert point is not None
            if not _everywhere(self._start(number, point)):
                self._works.pop(number, None)
                raise DoesNotFit("one of the processes has too little memory")
            self._works[number].warm_up()
        elif command == RUN:
            dist.barrier()
            return self._works[number].run()
        elif command == CLOSE:
            self._works.pop(number, None)
        return None

    def _start(self, number: int, point: Point) -> bool:
        try:
            self._works[number] = PointWork(point)
        except (MemoryError, torch.OutOfMemoryError):
            return False
        return True


def _everywhere(value: bool) -> bool:
    """Whether the value is True in all processes."""
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return all(values)
