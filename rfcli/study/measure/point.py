"""One point of a study: the view-independent stage or a whole render of one scene, run in a process of its own.

In its own process a point has its own peak memory, and it can be ended at any moment.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.nn.attention import SDPBackend, sdpa_kernel

from rfcli.model import RenderFormerConfig, SceneBatch
from rfcli.model.architectures import build
from rfcli.model.batch import camera_tensors
from rfcli.model.device import synchronize
from rfcli.model.rendering import render_views
from rfcli.model.sequence_parallel import view_independent_distributed
from rfcli.runtime.memory import PeakMemory
from rfcli.runtime.signals import blocked_interrupts, exit_with_parent
from rfcli.scene import TriangleScene
from rfcli.study.measure.clocks import DeviceClock, MechanismClock
from rfcli.study.measure.timing import DoesNotFit
from rfcli.study.results.measurement import Sample
from rfcli.study.scenes.random_triangles import random_triangle_batch, random_triangle_camera
from rfcli.study.settings import BF16, FLASH, FP32, PLAIN

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext  # Windows does not have the first

WARM_UP_TRIANGLES = 64
KERNELS = {FLASH: SDPBackend.FLASH_ATTENTION, PLAIN: SDPBackend.MATH}


@dataclass(frozen=True)
class Point:
    """A model, with random weights, and the scene that it is run on; time does not depend on the weights.

    Attributes:
        config: The model.
        triangles: Triangle count of the random scene.
        seed: Seed of weights and scene.
        device: cpu, cuda or mps.
        scene: A scene with one camera; None = random triangles.
        resolution: Pixels along a side of a whole render; None = the view-independent stage alone.
        kernel: As in `Curve`.
        precision: As in `Curve`.
        processes: Number of processes that share the stage's tokens and run the point together: all processes of
            torch.distributed, or 1 for this one alone.
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
    """A point with its model and scene in memory, ready to be warmed up and run."""

    def __init__(self, point: Point) -> None:
        self.point, self.device = point, torch.device(point.device)
        torch.manual_seed(point.seed)
        self.model = build(point.config).eval().to(self.device)
        for attention in self.model.transformer.attentions():
            if point.kernel is not None:
                attention.mechanism.forward = with_kernel(point.kernel, attention.mechanism.forward)  # type: ignore[method-assign]
        if point.scene is None:
            self.batch, self.camera = self._random_batch(point.triangles), random_triangle_camera()
        else:
            self.batch = SceneBatch.from_scenes(point.scene, self.device)
            self.camera = camera_tensors(point.scene, self.device)
        self.clock = DeviceClock(self.device)
        self.mechanism_clock = MechanismClock(self.model, self.clock)
        self.peak = PeakMemory(self.device)

    def warm_up(self) -> None:
        """Run a few triangles, untimed, so that thread pools, libraries and kernels are loaded; reset the peak."""
        self._run_on(self._random_batch(WARM_UP_TRIANGLES))
        synchronize(self.device)
        self.peak = PeakMemory(self.device)

    def run(self) -> Sample:
        """Run once, from the scene's triangles to its tokens or its picture."""
        self.mechanism_clock.restart()
        synchronize(self.device)
        begin = self.clock.mark()
        view = self._run_on(self.batch)
        seconds = self.clock.seconds(begin, self.clock.mark())
        return Sample(seconds, self.peak.bytes(), self.mechanism_clock.seconds(), view)

    def _random_batch(self, triangles: int) -> SceneBatch:
        return random_triangle_batch(triangles, self.point.seed, self.device)

    def _run_on(self, batch: SceneBatch) -> float:
        """Returns the seconds of the view-dependent stage; 0 if it is not run."""
        precision, resolution = self.point.precision, self.point.resolution
        if resolution is not None:
            _, _, view = next(render_views(self.model, batch, *self.camera, resolution, precision))
            return view
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=precision == BF16):
            if self.point.processes > 1:
                view_independent_distributed(self.model, batch, dist.group.WORLD)
            else:
                self.model.view_independent(batch)
        return 0.0


def with_kernel(kernel: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    """A mechanism's `forward` in which torch may use only this kernel for softmax attention."""

    def attend(*arguments: Any, **options: Any) -> Any:
        with sdpa_kernel([KERNELS[kernel]]):
            return inner(*arguments, **options)

    return attend


class PointProcess:
    """The `Runner` of a point in a process of its own. The process starts at once.

    Args:
        point: The point to run.
    """

    def __init__(self, point: Point) -> None:
        context = _context(torch.device(point.device))
        self._connection, child_end = context.Pipe()
        self._scene = point.scene  # sent later: sending a large one blocks until the child reads it
        self._process = context.Process(target=_serve, args=(child_end, replace(point, scene=None)), daemon=True)
        with blocked_interrupts():  # Ctrl-C reaches the whole group; the parent ends its processes
            self._process.start()
        child_end.close()

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until the point is warmed up; see `Runner`."""
        end = time.monotonic() + seconds
        self._receive(seconds)
        self._send(self._scene)
        self._receive(end - time.monotonic())

    def run(self, seconds: float) -> Sample:
        """Run the point once; see `Runner`."""
        self._send("run")
        sample = self._receive(seconds)
        assert isinstance(sample, Sample)
        return sample

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _send(self, message: object) -> None:
        with _process_failures():
            self._connection.send(message)

    def _receive(self, seconds: float) -> object:
        with _process_failures():
            if not self._connection.poll(max(0.0, seconds)):
                raise DoesNotFit("out of time")
            message = self._connection.recv()
        if isinstance(message, BaseException):
            raise message
        return message


@contextmanager
def _process_failures() -> Iterator[None]:
    """Raises DoesNotFit if the child has ended."""
    try:
        yield
    except (EOFError, ConnectionResetError, BrokenPipeError):
        raise DoesNotFit("its process has ended, most likely because memory ran out") from None


def _context(device: torch.device) -> "SpawnContext | ForkServerContext":
    """How a child is started.

    It is never a fork of this process, whose threads and memory it would inherit. On a CPU it is a fork of a process
    that has only imported the libraries, once for all points; CUDA needs a fresh process.
    """
    if device.type != "cpu" or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rfcli.study.measure.point"])
    return context


def _serve(connection: Connection, point: Point) -> None:
    """Main function of the child: prepare the point, then run it at every message. An exception is sent as a reply."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems where it cannot be held back
    exit_with_parent()  # a point may take minutes, which are wasted if the study was killed
    _raise_oom_score()
    try:
        connection.send("started")
        scene = connection.recv()
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
        # torch's CPU allocator has no exception class of its own, nor has a kernel that does not support the inputs
        unsupported = "alloc" in str(error) or "No available kernel" in str(error)
        connection.send(DoesNotFit(str(error)) if unsupported else error)
    except Exception as error:
        connection.send(error)


def _raise_oom_score() -> None:
    """Let Linux kill this process first if memory runs out, not the study or another program of the user."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
