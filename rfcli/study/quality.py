"""What the mechanisms' pictures are worth: the same scenes drawn by each, beside softmax's picture and the truth."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import ConfigDict

from rfcli.images import Linear, read_exr, write_exr
from rfcli.metrics.scores import score
from rfcli.model import RenderFormer
from rfcli.model.rendering import render_views
from rfcli.scene import TriangleScene
from rfcli.study.budget import MARGIN, Budget
from rfcli.study.point_work import SMALL
from rfcli.study.quality_models import QualityModel
from rfcli.study.soup import one_scene, soup_camera, triangle_soup
from rfcli.study.stored_numbers import CHECKED, Count, FileName, Name, Scores, Seconds, Size
from rfcli.study.timing import Report

if TYPE_CHECKING:
    from rfcli.study.scene_series import SceneSeries

SOFTMAX, TRUTH = "sdpa", "truth"
SHORT = 1.0  # seconds: renders below this are repeated, as one of them says little
REPEATS = 3


@dataclass(frozen=True)
class Judged:
    """What a mechanism's pictures of a series of scenes are worth at one triangle count.

    model, trained: see QualityModel. seconds: of the whole render, both stages, median of `REPEATS` where it is short.
    truth, softmax: psnr (dB), ssim, flip and, where its backbone is at hand, lpips against the path-traced image and
    against softmax's picture by the same pixels; softmax is None for softmax itself and where that was not drawn.
    """

    scene: FileName
    triangles: Count
    attention: FileName
    model: Name
    trained: bool
    seconds: Seconds
    truth: Scores
    softmax: Scores | None

    __pydantic_config__: ClassVar[ConfigDict] = CHECKED


@dataclass(frozen=True)
class QualityRow(Judged):
    """One picture: of scene number `number` of the series."""

    number: Size = 0


def picture_path(folder: Path, scene: str, triangles: int, who: str, number: int = 0) -> Path:
    """Where the picture lies that `who`, a mechanism or the truth, gives of scene `number` of a series."""
    return folder / f"{scene}-{triangles}-{number}-{who}.exr"


def measure_quality(
    models: Mapping[str, QualityModel],
    series: Sequence["SceneSeries"],
    counts: Sequence[int],
    seconds: float,
    folder: Path,
    finished: Sequence[QualityRow] = (),
    report: Report = lambda spent, expected, event: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[QualityRow]:
    """Draw, write as EXR into `folder` and score, in ascending order of triangles, as far as `seconds` go.

    A picture that is not foreseen to fit is left out, with the larger ones of its mechanism; so is a scene, whose
    truth takes time, too. Rows come as they are made; those `finished` are not made again.
    """
    budget = Budget(seconds, list(models), sorted(counts), clock)
    each = {
        (scenes.name, scenes.number): 0.0 for scenes in series
    }  # seconds a triangle, of the last scene and its truth
    warm: set[str] = set()
    done = {(row.scene, row.number, row.triangles, row.attention) for row in finished}
    for row in finished:
        budget.runs[row.attention, row.triangles] = [row.seconds]
    order = sorted(models, key=lambda name: name != SOFTMAX)  # the others are compared with it
    for count in budget.counts:
        for scenes in series:
            this = scenes.name, scenes.number
            missing = [name for name in order if (*this, count, name) not in done]
            missing = [name for name in missing if _fits(budget, name, count)]
            if not missing or budget.left() <= MARGIN * each[this] * count:
                continue
            report(budget.spent(), seconds, f"truth of {scenes.name} scene {scenes.number + 1}, {count:,} triangles")
            begun = budget.spent()
            scene, truth = scenes.scene_at(count)
            write_exr(picture_path(folder, scenes.name, count, TRUTH, scenes.number), truth)
            each[this] = (budget.spent() - begun) / count
            for name in missing:
                if not _fits(budget, name, count):
                    continue
                report(budget.spent(), seconds, f"picture by {name}, {count:,} triangles")
                if name not in warm:
                    warm_up(models[name].model, len(truth))
                    warm.add(name)
                image, took = drawn(models[name].model, scene, len(truth))
                write_exr(picture_path(folder, scenes.name, count, name, scenes.number), image)
                budget.runs[name, count] = [took]
                softmax = picture_path(folder, scenes.name, count, SOFTMAX, scenes.number)
                compared = name != SOFTMAX and (*this, count, SOFTMAX) in done
                done.add((*this, count, name))
                yield QualityRow(
                    scenes.name,
                    count,
                    name,
                    models[name].name,
                    models[name].trained,
                    took,
                    score(image, truth)[0].as_dict(),
                    score(image, read_exr(softmax))[0].as_dict() if compared else None,
                    scenes.number,
                )


def _fits(budget: Budget, name: str, count: int) -> bool:
    """Whether it is foreseen to end in time; else it is given up from this count on."""
    if budget.affords(name, count):
        return True
    budget.give_up(name, count)
    return False


def warm_up(model: RenderFormer, resolution: int) -> None:
    """A picture of few triangles that nobody times: what only a process's first render does is done then."""
    device = next(model.parameters()).device
    next(render_views(model, triangle_soup(SMALL, 0, device), *soup_camera(), resolution))


def drawn(model: RenderFormer, scene: TriangleScene, resolution: int) -> tuple[Linear, float]:
    """The picture [R, R, 3], linear, of the scene's one camera, and the seconds of a render."""
    batch, camera = one_scene(scene, torch.device("cpu"))  # the render brings it to the model
    taken: list[float] = []
    while not taken or (len(taken) <= REPEATS and taken[-1] < SHORT):
        image, stage, view = next(render_views(model, batch, *camera, resolution))
        taken.append(stage + view)
    return image[0, 0, ..., :3].cpu().numpy(), median(taken[1:] or taken)  # the first of several is the warm-up
