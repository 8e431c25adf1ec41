"""One point of the study in a process of its own: its peak memory is its own, and it can be ended at any moment."""

import multiprocessing
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch

from rfcli.model import RenderFormer, RenderFormerConfig
from rfcli.study.measurement import Sample
from rfcli.study.operation_clock import OperationClock
from rfcli.study.peak_memory import PeakMemory
from rfcli.study.soup import triangle_soup
from rfcli.study.timing import DoesNotFit

SMALL = 64  # triangles of the run before the first: thread pools, libraries and kernels are there afterwards


@dataclass(frozen=True)
class Point:
    """What is run: the view-independent stage of `config`, with random weights, on a scene of `triangles`."""

    config: RenderFormerConfig
    triangles: int
    seed: int
    device: str


class PointProcess:
    """The `Runner` of a point. Starts its process at once; `wait_until_ready` before `run`."""

    def __init__(self, point: Point) -> None:
        # Not fork: a child must not inherit torch's threads, nor the memory that it is to be judged by.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, point), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self, seconds: float) -> None:
        self._answer(seconds)

    def run(self, seconds: float) -> Sample:
        self._connection.send("run")
        answer = self._answer(seconds)
        assert isinstance(answer, Sample)
        return answer

    def _answer(self, seconds: float) -> object:
        try:
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


def _serve(connection: Connection, point: Point) -> None:
    """The child: gets ready, then answers each message with a Sample; an exception is the answer to its message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    try:
        device = torch.device(point.device)
        torch.manual_seed(point.seed)
        model = RenderFormer(point.config).eval().to(device)
        scene = triangle_soup(point.triangles, point.seed, device)
        with torch.inference_mode():
            model.view_independent(triangle_soup(SMALL, point.seed, device))
            clock = OperationClock(model, lambda: synchronize(device))
            peak = PeakMemory(device)
            connection.send("ready")
            while True:
                connection.recv()
                clock.seconds = 0.0
                synchronize(device)
                begun = time.perf_counter()
                model.view_independent(scene)
                synchronize(device)
                connection.send(Sample(time.perf_counter() - begun, peak.bytes(), clock.seconds))
    except EOFError:
        return
    except (MemoryError, torch.OutOfMemoryError) as error:
        connection.send(DoesNotFit(str(error)))
    except RuntimeError as error:
        # torch's CPU allocator has no exception of its own
        connection.send(DoesNotFit(str(error)) if "alloc" in str(error) else error)
    except Exception as error:
        connection.send(error)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
