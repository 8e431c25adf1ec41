"""Every picture of a run, one after another: drawn, developed, compared, written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import rfcli
from rfcli.pictures.files import thumbnail, write_picture
from rfcli.pictures.images import Display, write_png
from rfcli.pictures.jobs import Job
from rfcli.pictures.look import Studio
from rfcli.pictures.renderers import Renderer

if TYPE_CHECKING:
    from rfcli.metrics.scores import Scores


@dataclass(frozen=True)
class Picture:
    """One finished picture: which camera of which scene, its files, the seconds by stage, a small copy.

    scores: against the reference, where there is one.
    """

    scene: Path
    view: int
    triangles: int
    resolution: int
    seconds: dict[str, float]
    scores: "Scores | None"
    files: Sequence[Path]
    thumbnail: Display

    def facts(self) -> dict[str, object]:
        """For the receipt."""
        names = ("scene", "view", "triangles", "resolution", "seconds")
        scores = self.scores.as_dict() if self.scores else {}
        return {**{name: getattr(self, name) for name in names}, **scores}

    def line(self) -> str:
        """For people."""
        scores = f"; {self.scores.line()}" if self.scores else ""
        return f"{self.files[0]}: {self.triangles:,} triangles, {self.seconds['total']:.2f} s{scores}"


def render_gallery(studio: Studio, jobs: Sequence[Job], reference: Renderer | None = None) -> Iterator[Picture]:
    """Draw and write the pictures of all jobs into the studio's folder, which must exist.

    reference: what each picture is compared with; NAME-compare.png then shows both and the error.
    """
    renderer, resolution = studio.renderer, studio.resolution
    count = sum(len(job.views) for job in jobs)
    for job in jobs:
        drawings = renderer.draw(job.scene, resolution)
        references = reference.draw(job.scene, resolution) if reference else repeat(None, len(job.views))
        for number, name, drawn, other in zip(job.views, job.names, drawings, references, strict=True):
            shown = studio.look.develop(drawn.image)
            header = about(job, number, renderer, drawn.seconds)
            files = write_picture(studio.folder / name, drawn.image, shown, header)
            scores = None
            if reference and other:
                from rfcli.pictures.comparison import compare

                scores, sheet = compare(drawn.image, other.image, (renderer.title, reference.title), studio.look)
                files.append(studio.folder / f"{name}-compare.png")
                write_png(files[-1], sheet)
            small = thumbnail(shown, count)
            yield Picture(job.path, number, len(job.whole), resolution, drawn.seconds, scores, files, small)


def about(job: Job, view: int, renderer: Renderer, seconds: dict[str, float]) -> dict[str, str]:
    """What an EXR's header says of how it was made."""
    return {
        "model": renderer.title,
        "scene": job.path.name,
        "view": str(view),
        "seconds": f"{seconds['total']:.3f}",
        "rf": rfcli.__version__,
    }
