"""The three ways to render a scene: the network, the path tracer, an OpenGL preview. One interface for all."""

import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rfcli.errors import InputWarning
from rfcli.pictures.images import DisplaySettings, Linear
from rfcli.pictures.inputs import with_cameras
from rfcli.scene import TriangleScene

if TYPE_CHECKING:
    from rfcli.model import RenderFormer

DEFAULT_RESOLUTION = 256  # pixels, if the model's config has no training resolution


@dataclass(frozen=True)
class RenderedView:
    """The image of one camera.

    Attributes:
        image: [H, W, 3] linear; [H, W, 4] from models with alpha.
        seconds: Time by stage and in `total`.
    """

    image: Linear
    seconds: dict[str, float]


class Renderer(Protocol):
    """Renders scenes.

    Attributes:
        title: Name for labels and metadata of files.
        default_resolution: Side of the image in pixels if the user gives none.
        device: Device that computes.
    """

    @property
    def title(self) -> str: ...
    @property
    def default_resolution(self) -> int: ...
    @property
    def device(self) -> str: ...

    def identity(self) -> dict[str, object]:
        """Everything the images depend on, in JSON types; differs between two models of one name."""
        ...

    def render(self, scene: TriangleScene, resolution: int) -> Iterator[RenderedView]:
        """The image of each camera of the scene, in order."""
        ...


@dataclass(frozen=True)
class RenderSettings:
    """Settings common to all pictures and videos of a run.

    Attributes:
        renderer: Renders the images.
        resolution: Side of the images in pixels.
        display: Conversion of the images to PNG and video.
        folder: Folder for the files; must exist.
    """

    renderer: Renderer
    resolution: int
    display: DisplaySettings
    folder: Path


@dataclass(frozen=True)
class NetworkRenderer:
    """A trained network. Its view-independent stage runs once per scene, its view-dependent stage once per camera.

    Attributes:
        name: Name the model was loaded by.
        model: The network, in eval mode.
        precision: fp32 | bf16, of the view-independent stage.
    """

    name: str
    model: "RenderFormer"
    precision: str = "fp32"

    @property
    def title(self) -> str:
        return f"{self.name} ({self.model.config.attention})"

    @property
    def default_resolution(self) -> int:
        return self.training_resolution or DEFAULT_RESOLUTION

    @property
    def training_resolution(self) -> int | None:
        """Resolution the images should be close to, in pixels.

        None if the config has none, or with first-hit visibility, which computes at any resolution which triangle a
        pixel shows.
        """
        config = self.model.config
        return config.training_resolution if config.visibility == "attention" else None

    @property
    def device(self) -> str:
        return next(self.model.parameters()).device.type

    def identity(self) -> dict[str, object]:
        checksum = 0
        for tensor in self.model.state_dict().values():
            checksum = zlib.crc32(tensor.cpu().numpy().tobytes(), checksum)
        return {"config": self.model.config.to_dict(), "weights": checksum, "precision": self.precision}

    def render(self, scene: TriangleScene, resolution: int) -> Iterator[RenderedView]:
        from rfcli.model.batch import camera_tensors
        from rfcli.model.rendering import render_views

        batch, (c2w, fov) = self.model.batch_of(scene), camera_tensors(scene)
        for image, stage, view in render_views(self.model, batch, c2w, fov, resolution, self.precision):
            seconds = {"view_independent": stage, "view_dependent": view, "total": stage + view}
            # the ELU of the last layer reaches 0.0023 below zero in places without light
            yield RenderedView(image[0, 0].clamp_min(0).cpu().numpy(), seconds)


@dataclass(frozen=True)
class RasterRenderer:
    """OpenGL rasterisation without light transport; takes milliseconds."""

    title = "raster preview"
    default_resolution = DEFAULT_RESOLUTION
    device = "opengl"

    def identity(self) -> dict[str, object]:
        return {"raster": True}

    def render(self, scene: TriangleScene, resolution: int) -> Iterator[RenderedView]:
        from rfcli.truth import RasterPreview

        start = time.perf_counter()
        images = RasterPreview().render(scene, resolution)
        seconds = {"total": (time.perf_counter() - start) / len(images)}
        yield from (RenderedView(image, seconds) for image in images)


@dataclass(frozen=True)
class PathTracedRenderer:
    """The path tracer, whose images are the ground truth.

    Attributes:
        samples: Paths per pixel, before denoising.
    """

    samples: int = 64
    default_resolution = DEFAULT_RESOLUTION
    device = "cpu"

    @property
    def title(self) -> str:
        return f"truth ({self.samples} paths a pixel, denoised)"

    def identity(self) -> dict[str, object]:
        return {"samples": self.samples}

    def render(self, scene: TriangleScene, resolution: int) -> Iterator[RenderedView]:
        from rfcli.truth import PathTracer

        for view in range(len(scene.c2w)):
            start = time.perf_counter()
            image = PathTracer(self.samples).render(with_cameras(scene, [view]), resolution)[0]
            seconds = time.perf_counter() - start
            yield RenderedView(without_broken_pixels(image), {"total": seconds})


def without_broken_pixels(image: Linear) -> Linear:
    """The path-traced image [H, W, 3] with black pixels, and an InputWarning, where it is not finite."""
    broken = np.asarray(~np.isfinite(image).all(axis=-1))
    if not broken.any():
        return image
    warnings.warn(
        f"{broken.sum():,} of {broken.size:,} pixels of the path-traced image are not finite and stay black: light or "
        "materials of the scene exceed the range of numbers, or its normals are broken.",
        InputWarning,
        stacklevel=2,
    )
    return np.where(broken[..., None], np.float32(0), image)
