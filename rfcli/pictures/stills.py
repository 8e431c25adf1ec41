"""Pictures, one per camera: rendered, converted, compared with a reference, and written as PNG and EXR."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import rfcli
from rfcli.pictures.images import Display, write_exr, write_png
from rfcli.pictures.inputs import SceneInput
from rfcli.pictures.renderers import Renderer, RenderSettings
from rfcli.pictures.sheets import compare, thumbnail

if TYPE_CHECKING:
    from rfcli.metrics.scores import Scores


@dataclass(frozen=True)
class Picture:
    """One finished picture.

    Attributes:
        scene: File of the scene.
        view: Number of the camera.
        triangles: Triangles of the scene.
        resolution: Side of the image in pixels.
        seconds: Time by stage and in `total`.
        scores: Against the reference, if there is one.
        files: Paths written.
        thumbnail: Small copy for the contact sheet.
    """

    scene: Path
    view: int
    triangles: int
    resolution: int
    seconds: dict[str, float]
    scores: "Scores | None"
    files: Sequence[Path]
    thumbnail: Display

    def receipt(self) -> dict[str, object]:
        """Its entry in the receipt."""
        names = ("scene", "view", "triangles", "resolution", "seconds")
        scores = self.scores.as_dict() if self.scores else {}
        return {**{name: getattr(self, name) for name in names}, **scores}

    def line(self) -> str:
        """One line of text for the terminal."""
        scores = f"; {self.scores.line()}" if self.scores else ""
        return f"{self.files[0]}: {self.triangles:,} triangles, {self.seconds['total']:.2f} s{scores}"


def render_pictures(
    settings: RenderSettings, inputs: Sequence[SceneInput], reference: Renderer | None = None
) -> Iterator[Picture]:
    """Render all chosen cameras of all scenes; each picture is written before it is yielded.

    Args:
        settings: Renderer, resolution, display settings and folder.
        inputs: The scenes.
        reference: Renderer to compare with; NAME-compare.png shows reference, picture and error.
    """
    renderer, resolution = settings.renderer, settings.resolution
    count = sum(len(item.views) for item in inputs)
    for item in inputs:
        scene = item.with_chosen_cameras()
        rendered = renderer.render(scene, resolution)
        references = reference.render(scene, resolution) if reference else repeat(None, len(item.views))
        for number, name, view, other in zip(item.views, item.names, rendered, references, strict=True):
            shown = settings.display.convert(view.image)
            stem = settings.folder / name
            files = [stem.with_name(f"{name}.png"), stem.with_name(f"{name}.exr")]
            write_exr(files[1], view.image, exr_header(item, number, renderer, view.seconds))
            write_png(files[0], shown)
            scores = None
            if reference and other:
                titles = (renderer.title, reference.title)
                scores, comparison = compare(view.image, other.image, titles, settings.display)
                files.append(stem.with_name(f"{name}-compare.png"))
                write_png(files[-1], comparison)
            small = thumbnail(shown, count)
            yield Picture(item.path, number, len(item.scene), resolution, view.seconds, scores, files, small)


def exr_header(item: SceneInput, view: int, renderer: Renderer, seconds: dict[str, float]) -> dict[str, str]:
    """Text attributes of an EXR file: how the image was made."""
    return {
        "model": renderer.title,
        "scene": item.path.name,
        "view": str(view),
        "seconds": f"{seconds['total']:.3f}",
        "rf": rfcli.__version__,
    }
