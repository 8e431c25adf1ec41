"""What each window shows: a picture, or two with a wipe between them, drawn fast and then well.

`SceneDrawing` is the `Drawer` of the render loop. It knows nothing of the page: it asks for the camera of a view and
hands over finished pixels with a report.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch

from rfcli.metrics.similarity import log_radiance, psnr
from rfcli.model.rendering import SUBPIXEL_SAMPLES
from rfcli.pictures import DisplaySettings
from rfcli.pictures.images import Display
from rfcli.viewer.cameras import WindowCamera
from rfcli.viewer.edits import SceneEdits
from rfcli.viewer.network_pictures import NetworkPictures
from rfcli.viewer.path_traced_pictures import PathTracedPictures

Linear = npt.NDArray[np.float32]
Side = NetworkPictures | PathTracedPictures

COARSE_RESOLUTIONS = (64, 96, 128)  # of pictures while the camera moves
FAST_SECONDS, SLOW_SECONDS = 0.06, 0.16  # of a coarse picture, below and above which the resolution is changed
RESOLUTIONS = (64, 128, 256, 384, 512)  # of final pictures, to choose from


@dataclass(frozen=True)
class Settings:
    """What all windows share, beside the scene.

    Attributes:
        resolution: Side of the final square image in pixels.
        display: Conversion to sRGB.
        wipe: Share of the window's width that shows the left picture, 0 to 1.
    """

    resolution: int = 256
    display: DisplaySettings = field(default_factory=DisplaySettings)
    wipe: float = 0.5


@dataclass(frozen=True)
class SideReport:
    """How one side was made: its title, and a phrase with its seconds or paths."""

    title: str
    effort: str


@dataclass(frozen=True)
class Shown:
    """The content of a window.

    Attributes:
        camera: Of the window when it was drawn.
        edits: Of the scene.
        left: [h, w, 3] linear, cropped to the window.
        right: The same of the other side of the wipe; None without comparison.
        reports: Of the left side, then of the right one.
        final: Whether it is the final picture.
        resolution: Side of the square image.
        psnr: Decibels between both sides; None without comparison and while the camera moves.
    """

    camera: WindowCamera
    edits: SceneEdits
    left: Linear
    right: Linear | None
    reports: tuple[SideReport, ...]
    final: bool
    resolution: int
    psnr: float | None = None

    def pixels(self, display: DisplaySettings, wipe: float) -> Display:
        """[h, w, 3] sRGB: left of the wipe the left picture, right of it the other, between them a line."""
        left = display.convert(self.left)
        if self.right is None:
            return left
        edge = round(wipe * left.shape[1])
        image = np.concatenate([left[:, :edge], display.convert(self.right)[:, edge:]], axis=1)
        if 0 < edge < image.shape[1]:
            image[:, edge] = 255
        return image

    def linear(self, wipe: float) -> Linear:
        """[h, w, 3] linear radiance of what is seen, without the line."""
        if self.right is None:
            return self.left
        edge = round(wipe * self.left.shape[1])
        return np.concatenate([self.left[:, :edge], self.right[:, edge:]], axis=1)


class SceneDrawing:
    """Draws the windows of one scene.

    Args:
        left: The model that `rf view` was started with.
        camera_of: The camera of a view at present; None if the view is closed.
        show: Takes what a view shows from now on.
        failed: Takes the error of a view (None: of work in the background).

    Attributes:
        edits: Changes of the scene; assign a new value, then call `RenderLoop.request_all`.
        settings: Assign a new value, then call `request_all` or `present_all`.
        right: The other side of the wipe; None for no comparison.
    """

    def __init__(
        self,
        left: NetworkPictures,
        camera_of: Callable[[Hashable], WindowCamera | None],
        show: Callable[[Hashable, Shown], None],
        failed: Callable[[Hashable | None, Exception], None],
    ) -> None:
        self.left = left
        self.right: Side | None = None
        self.edits, self.settings = SceneEdits(), Settings()
        self._camera_of, self._show, self.failed = camera_of, show, failed
        self._shown: dict[Hashable, Shown] = {}
        self._coarse = 0  # index into COARSE_RESOLUTIONS

    def shown(self, view: Hashable) -> Shown | None:
        """What a view shows."""
        return self._shown.get(view)

    def forget(self, view: Hashable) -> None:
        """A view was closed."""
        self._shown.pop(view, None)
        if isinstance(self.right, PathTracedPictures):
            self.right.forget(view)

    def coarse(self, view: Hashable) -> bool:
        """A picture at low resolution, or the final one if that costs nothing; returns whether it is final."""
        camera, edits, settings, right = self._camera_of(view), self.edits, self.settings, self.right
        if camera is None:
            return True
        free = bool(edits.radiance) and self.left.has_single_images(edits, camera, settings.resolution)
        resolution = settings.resolution if free else min(COARSE_RESOLUTIONS[self._coarse], settings.resolution)
        start = time.perf_counter()
        final = free and right is None and self.left.sums_are_exact
        self._draw(view, camera, edits, right, resolution, SUBPIXEL_SAMPLES if free else 1, final)
        if not free:
            self._adapt(time.perf_counter() - start)
        return final

    def final(self, view: Hashable) -> None:
        """The picture at the chosen resolution, with as many rays as `rf render` traces."""
        camera, edits, right = self._camera_of(view), self.edits, self.right
        if camera is not None:
            self._draw(view, camera, edits, right, self.settings.resolution, SUBPIXEL_SAMPLES, final=True)

    def refine(self, view: Hashable) -> bool:
        """More paths for the path tracer's side."""
        right, shown = self.right, self._shown.get(view)
        if not isinstance(right, PathTracedPictures) or shown is None or shown.right is None:
            return False
        if not right.refine(view):
            return False
        traced = right.draw(view, shown.edits, shown.camera, shown.resolution)
        image = shown.camera.crop(traced.image)
        report = SideReport(right.title, f"{traced.paths} paths per pixel")
        changed = replace(shown, right=image, reports=(shown.reports[0], report), psnr=_psnr(shown.left, image))
        self._keep(view, changed)
        return True

    def present(self, view: Hashable) -> None:
        """The last picture with the present settings of display and wipe."""
        shown = self._shown.get(view)
        if shown is not None:
            self._show(view, shown)

    def _draw(
        self,
        view: Hashable,
        camera: WindowCamera,
        edits: SceneEdits,
        right: Side | None,
        resolution: int,
        samples: int,
        final: bool,
    ) -> None:
        picture, report = _network_side(self.left, edits, camera, resolution, samples, final)
        reports, other = [report], None
        if isinstance(right, NetworkPictures):
            other, report = _network_side(right, edits, camera, resolution, samples, final)
            reports.append(report)
        elif right is not None:
            traced = right.draw(view, edits, camera, resolution)
            other = camera.crop(traced.image)
            reports.append(SideReport(right.title, f"{traced.paths} paths per pixel"))
        decibels = _psnr(picture, other) if final and other is not None else None
        shown = Shown(camera, edits, picture, other, tuple(reports), final, resolution, decibels)
        if final and self.edits != edits:
            return  # a newer picture follows; this one may never be the last
        self._keep(view, shown)

    def _keep(self, view: Hashable, shown: Shown) -> None:
        self._shown[view] = shown
        self._show(view, shown)

    def _adapt(self, seconds: float) -> None:
        """Choose the resolution of the next coarse picture by the seconds of this one."""
        if seconds < FAST_SECONDS and self._coarse < len(COARSE_RESOLUTIONS) - 1:
            self._coarse += 1
        elif seconds > SLOW_SECONDS and self._coarse > 0:
            self._coarse -= 1


def _network_side(
    side: NetworkPictures, edits: SceneEdits, camera: WindowCamera, resolution: int, samples: int, final: bool
) -> tuple[Linear, SideReport]:
    """The window's part of a network's picture, and its report."""
    picture = side.draw(edits, camera, resolution, final, samples)
    view = f"view {picture.view_seconds:.2f} s at {resolution} x {resolution}"
    if picture.summed:
        return camera.crop(picture.image), SideReport(side.title, f"sum of {picture.summed} lights, {view}")
    return camera.crop(picture.image), SideReport(side.title, f"first stage {picture.stage_seconds:.2f} s, {view}")


@torch.no_grad()
def _psnr(image: Linear, reference: Linear) -> float:
    """Decibels between two linear images, as `rf render --compare` gives them."""
    a, b = (log_radiance(torch.from_numpy(np.maximum(x, 0).copy()))[None] for x in (image, reference))
    return float(psnr(a, b)[0])
