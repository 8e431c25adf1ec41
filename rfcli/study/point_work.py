"""What is run at one point of the study: the view-independent stage, or a whole render, of one scene."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.attention import SDPBackend, sdpa_kernel

from rfcli.model import RenderFormer, RenderFormerConfig, SceneBatch
from rfcli.model.rendering import render_views
from rfcli.model.sequence_parallel import view_independent_spread
from rfcli.scene import TriangleScene
from rfcli.study.device_clock import DeviceClock
from rfcli.study.measurement import Sample
from rfcli.study.operation_clock import OperationClock
from rfcli.study.peak_memory import PeakMemory
from rfcli.study.soup import one_scene, soup_camera, triangle_soup
from rfcli.study.variants import BF16, FLASH, FP32, PLAIN

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
