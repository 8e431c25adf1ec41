"""One point of the study in a process of its own: its peak memory is its own, and it can be ended at any moment."""

import multiprocessing
import signal
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from rfcli.interrupt import interrupts_held_back
from rfcli.leave_with_parent import leave_with_parent
from rfcli.study.measurement import Sample
from rfcli.study.point_work import Point, PointWork
from rfcli.study.timing import DoesNotFit

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext  # the first is not known to Windows


class PointProcess:
    """The `Runner` of a point. Starts its process at once; `wait_until_ready` before `run`."""

    def __init__(self, point: Point) -> None:
        context = _context(torch.device(point.device))
        self._connection, theirs = context.Pipe()
        self._scene = point.scene  # handed over later: a large one would keep us waiting until the child reads it
        self._process = context.Process(target=_serve, args=(theirs, replace(point, scene=None)), daemon=True)
        with interrupts_held_back():  # Ctrl-C reaches the whole group; the parent ends its processes
            self._process.start()
        theirs.close()

    def wait_until_ready(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self._answer(None, seconds)
        self._answer(("scene", self._scene), end - time.monotonic())

    def run(self, seconds: float) -> Sample:
        answer = self._answer("run", seconds)
        assert isinstance(answer, Sample)
        return answer

    def _answer(self, message: object, seconds: float) -> object:
        """The child's answer to a message; with None, what it says by itself."""
        try:
            if message is not None:
                self._connection.send(message)
            if not self._connection.poll(max(0.0, seconds)):
                raise DoesNotFit("out of time")
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            raise DoesNotFit("its process was ended, most likely for want of memory") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _context(device: torch.device) -> "SpawnContext | ForkServerContext":
    """How a child starts. Not as a fork of ours: it must not inherit torch's threads, nor the memory that it is to be
    judged by. On a CPU it is one of a process that has but imported the libraries, once for all points; CUDA wants
    every process from scratch."""
    if device.type != "cpu" or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rfcli.study.point_work"])
    return context


def _serve(connection: Connection, point: Point) -> None:
    """The child: gets ready, then answers each message with a Sample; an exception is the answer to its message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems where it cannot be held back
    leave_with_parent()  # a point may take minutes, for which nobody waits any more where the study was killed
    _go_first_where_memory_runs_out()
    try:
        connection.send("listening")
        _, scene = connection.recv()
        work = PointWork(replace(point, scene=scene))
        work.warm_up()
        connection.send("ready")
        while True:
            connection.recv()
            connection.send(work.run())
    except EOFError:
        return
    except (MemoryError, torch.OutOfMemoryError) as error:
        connection.send(DoesNotFit(str(error)))
    except RuntimeError as error:
        # torch's CPU allocator has no exception of its own, nor has a kernel that does not take a mask or a format
        connection.send(
            DoesNotFit(str(error)) if "alloc" in str(error) or "No available kernel" in str(error) else error
        )
    except Exception as error:
        connection.send(error)


def _go_first_where_memory_runs_out() -> None:
    """Linux ends the process with the highest score: let it be this one, whose point then does not fit, and not the
    study itself or whatever else its user has running."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
