"""What draws a scene: the network, the path tracer, a raster preview. All give images one camera after another."""

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from rfcli.pictures.jobs import with_cameras
from rfcli.scene import TriangleScene

if TYPE_CHECKING:
    from rfcli.model import RenderFormer

Image = npt.NDArray[np.float32]  # [H, W, 3], linear; 4 from models with alpha

RESOLUTION = 256  # where nothing says at which resolution a renderer is at home


@dataclass(frozen=True)
class Drawn:
    """One camera's image [H, W, 3], linear, and the seconds it took, by stage and in all (`total`)."""

    image: Image
    seconds: dict[str, float]


class Renderer(Protocol):
    """title: for labels and files' metadata. home: the resolution it is best at. device: what it computes on."""

    @property
    def title(self) -> str: ...
    @property
    def home(self) -> int: ...
    @property
    def device(self) -> str: ...

    def identity(self) -> dict[str, object]:
        """What its images depend on, in JSON types: another model with the same name differs in it."""
        ...

    def draw(self, scene: TriangleScene, resolution: int) -> Iterator[Drawn]:
        """Images of the scene's cameras, in their order."""
        ...


@dataclass(frozen=True)
class NetworkRenderer:
    """A trained network; what does not depend on the camera is computed once per scene.

    precision: fp32 or bf16, of the view-independent stage.
    """

    name: str
    model: "RenderFormer"
    precision: str = "fp32"

    @property
    def title(self) -> str:
        return f"{self.name} ({self.model.config.attention})"

    @property
    def home(self) -> int:
        return self.bound_to or RESOLUTION

    @property
    def bound_to(self) -> int | None:
        """The resolution of training, far from which the network sees badly. None where that is not known, and with
        first-hit visibility: which triangle a pixel sees is then computed, at any resolution."""
        config = self.model.config
        return config.training_resolution if config.visibility == "attention" else None

    @property
    def device(self) -> str:
        return next(self.model.parameters()).device.type

    def identity(self) -> dict[str, object]:
        check = 0
        for tensor in self.model.state_dict().values():
            check = zlib.crc32(tensor.cpu().numpy().tobytes(), check)
        return {"config": self.model.config.to_dict(), "weights": check, "precision": self.precision}

    def draw(self, scene: TriangleScene, resolution: int) -> Iterator[Drawn]:
        import torch

        from rfcli.model import SceneBatch
        from rfcli.model.rendering import render_views

        arrays = (scene.triangles, scene.vn, scene.material, scene.c2w, scene.fov)
        triangles, vn, material, c2w, fov = (torch.from_numpy(array)[None] for array in arrays)
        batch = SceneBatch(triangles, vn, torch.ones(triangles.shape[:2], dtype=torch.bool), material=material)
        for image, stage, view in render_views(self.model, batch, c2w, fov, resolution, self.precision):
            seconds = {"view_independent": stage, "view_dependent": view, "total": stage + view}
            # the last layer's ELU leaves a network 0.0023 below zero, where no light is
            yield Drawn(image[0, 0].clamp_min(0).cpu().numpy(), seconds)


@dataclass(frozen=True)
class RasterRenderer:
    """OpenGL: no light transport, milliseconds."""

    title = "raster preview"
    home = RESOLUTION
    device = "opengl"

    def identity(self) -> dict[str, object]:
        return {"raster": True}

    def draw(self, scene: TriangleScene, resolution: int) -> Iterator[Drawn]:
        from rfcli.truth import RasterPreview

        start = time.perf_counter()
        images = RasterPreview().render(scene, resolution)
        seconds = {"total": (time.perf_counter() - start) / len(images)}
        yield from (Drawn(image, seconds) for image in images)


@dataclass(frozen=True)
class TruthRenderer:
    """The path tracer. samples: paths per pixel before denoising."""

    samples: int = 64
    home = RESOLUTION
    device = "cpu"

    @property
    def title(self) -> str:
        return f"truth ({self.samples} paths a pixel, denoised)"

    def identity(self) -> dict[str, object]:
        return {"samples": self.samples}

    def draw(self, scene: TriangleScene, resolution: int) -> Iterator[Drawn]:
        from rfcli.truth import PathTracer

        for view in range(len(scene.c2w)):
            start = time.perf_counter()
            camera = with_cameras(scene, [view])
            image = PathTracer(self.samples).render(camera, resolution)[0]
            yield Drawn(image, {"total": time.perf_counter() - start})
