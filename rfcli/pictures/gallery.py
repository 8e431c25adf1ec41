"""Every picture of a run, one after another: drawn, developed, written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import rfcli
from rfcli.images import Display
from rfcli.pictures.files import Develop, thumbnail, write_picture
from rfcli.pictures.jobs import Job
from rfcli.pictures.renderers import Renderer


@dataclass(frozen=True)
class Picture:
    """One finished picture: which camera of which scene, its files, the seconds by stage, a small copy."""

    scene: Path
    view: int
    triangles: int
    resolution: int
    seconds: dict[str, float]
    files: Sequence[Path]
    thumbnail: Display

    def facts(self) -> dict[str, object]:
        """For the receipt."""
        names = ("scene", "view", "triangles", "resolution", "seconds")
        return {name: getattr(self, name) for name in names}


def render_gallery(
    jobs: Sequence[Job], renderer: Renderer, resolution: int, develop: Develop, folder: Path
) -> Iterator[Picture]:
    """Draw and write the pictures of all jobs into `folder`, which must exist."""
    for job in jobs:
        drawings = renderer.draw(job.scene, resolution)
        for number, name, drawn in zip(job.views, job.names, drawings, strict=True):
            shown = develop(drawn.image)
            files = write_picture(folder / name, drawn.image, shown, about(job, number, renderer, drawn.seconds))
            yield Picture(job.path, number, len(job.whole), resolution, drawn.seconds, files, thumbnail(shown))


def about(job: Job, view: int, renderer: Renderer, seconds: dict[str, float]) -> dict[str, str]:
    """What an EXR's header says of how it was made."""
    return {
        "model": renderer.title,
        "scene": job.path.name,
        "view": str(view),
        "seconds": f"{seconds['total']:.3f}",
        "rf": rfcli.__version__,
    }
