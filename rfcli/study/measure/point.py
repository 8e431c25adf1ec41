"""What is run at one point of the study: the view-independent stage, or a whole render, of one scene.

One point of the study in a process of its own: its peak memory is its own, and it can be ended at any moment.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.nn.attention import SDPBackend, sdpa_kernel

from rfcli.model import RenderFormer, RenderFormerConfig, SceneBatch
from rfcli.model.rendering import render_views
from rfcli.model.sequence_parallel import view_independent_spread
from rfcli.runtime.signals import interrupts_held_back, leave_with_parent
from rfcli.scene import TriangleScene
from rfcli.study.measure.clocks import DeviceClock, OperationClock
from rfcli.study.measure.memory import PeakMemory
from rfcli.study.measure.timing import DoesNotFit
from rfcli.study.results.measurement import Sample
from rfcli.study.scenes.random_triangles import one_scene, soup_camera, triangle_soup
from rfcli.study.settings import BF16, FLASH, FP32, PLAIN

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext  # the first is not known to Windows

SMALL = 64  # triangles of the run before the first: thread pools, libraries and kernels are there afterwards
KERNELS = {FLASH: SDPBackend.FLASH_ATTENTION, PLAIN: SDPBackend.MATH}


@dataclass(frozen=True)
class Point:
    """What is run, with random weights, as time does not depend on them.

    scene: with one camera; None = random triangles. resolution: of the picture of a whole render; None = the
    view-independent stage alone. kernel, precision: see `Variant`. processes: that share the stage's tokens and run
    this together, all of those that torch.distributed knows; 1 = this one alone.
    """

    config: RenderFormerConfig
    triangles: int
    seed: int
    device: str
    scene: TriangleScene | None = None
    resolution: int | None = None
    kernel: str | None = None
    precision: str = FP32
    processes: int = 1


class PointWork:
    """A point that is ready to be warmed up and run."""

    def __init__(self, point: Point) -> None:
        self.point, self.device = point, torch.device(point.device)
        torch.manual_seed(point.seed)
        self.model = RenderFormer(point.config).eval().to(self.device)
        for attention in self.model.transformer.attentions():
            if point.kernel is not None:
                attention.mechanism.forward = under(point.kernel, attention.mechanism.forward)  # type: ignore[method-assign]
        if point.scene is None:
            self.batch, self.camera = triangle_soup(point.triangles, point.seed, self.device), soup_camera()
        else:
            self.batch, self.camera = one_scene(point.scene, self.device)
        self.clock = DeviceClock(self.device)
        self.operation = OperationClock(self.model, self.clock)
        self.peak = PeakMemory(self.device)

    def warm_up(self) -> None:
        """Run what few triangles cost, untimed; memory is counted from here on."""
        self._run_on(triangle_soup(SMALL, self.point.seed, self.device))
        self.clock.wait()
        self.peak = PeakMemory(self.device)

    def run(self) -> Sample:
        """Once, from the scene's triangles to its tokens or its picture."""
        self.operation.restart()
        self.clock.wait()
        begin = self.clock.mark()
        view = self._run_on(self.batch)
        seconds = self.clock.seconds(begin, self.clock.mark())
        return Sample(seconds, self.peak.bytes(), self.operation.seconds(), view)

    def _run_on(self, batch: SceneBatch) -> float:
        """Returns the seconds of the view-dependent stage; 0 without one."""
        precision, resolution = self.point.precision, self.point.resolution
        if resolution is not None:
            _, _, view = next(render_views(self.model, batch, *self.camera, resolution, precision))
            return view
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=precision == BF16):
            if self.point.processes > 1:
                view_independent_spread(self.model, batch, dist.group.WORLD)
            else:
                self.model.view_independent(batch)
        return 0.0


def under(kernel: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    """A mechanism's `forward` that lets torch use this kernel only, where it has one for the inputs."""

    def attend(*arguments: Any, **options: Any) -> Any:
        with sdpa_kernel([KERNELS[kernel]]):
            return inner(*arguments, **options)

    return attend


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
    context.set_forkserver_preload(["rfcli.study.measure.point"])
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
