"""Which trained model draws the pictures of each mechanism.

What the mechanisms' pictures are worth: the same scenes drawn by each, beside softmax's picture and the truth.

What figures and tables show of the pictures: means over the scenes of a series.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import ConfigDict

from rfcli.attention import find_mechanism
from rfcli.errors import InputError
from rfcli.metrics.scores import score
from rfcli.model import RenderFormer, convert, load
from rfcli.model.checkpoint import MECHANISM
from rfcli.model.hub import BUNDLED
from rfcli.model.rendering import render_views
from rfcli.pictures.images import Linear, read_exr, write_exr
from rfcli.scene import TriangleScene
from rfcli.study.measure.point import SMALL
from rfcli.study.measure.timing import MARGIN, Budget, Report
from rfcli.study.results.schema import CHECKED, Count, FileName, Name, Scores, Seconds, Size
from rfcli.study.scenes.random_triangles import one_scene, soup_camera, triangle_soup

if TYPE_CHECKING:
    from rfcli.study.scenes.series import SceneSeries


@dataclass(frozen=True)
class QualityModel:
    """A model to judge a mechanism by. trained: its weights know the mechanism, or the mechanism needs no training;
    else it is the plain swap of a softmax model's attention, whose pictures say little of what training would give.
    """

    name: str
    model: RenderFormer
    trained: bool


def quality_models(
    name: str, twins: Sequence[str], attentions: Sequence[str], options: Mapping[str, dict[str, Any]], device: str
) -> dict[str, QualityModel]:
    """By mechanism, in the order of `attentions`: the twin that was trained with it, else `name` with its attention
    swapped.

    twins: checkpoints, each for the mechanism that its config names. Beside these, a bundled twin of the bundled model
    is found by itself (tiny-performer). options: of the mechanisms, by their names.
    Raises InputError where a model cannot be read, or a twin's mechanism is not among those that are studied.
    """
    base = load(name, device=device)
    bundled = [f"{name}-{attention}" for attention in attentions if f"{name}-{attention}" in BUNDLED]
    trained: dict[str, QualityModel] = {}
    for twin in (*bundled, *twins):
        model = load(twin, device=device)
        if model.config.attention not in attentions:
            raise InputError(
                f"--twins {twin}: its attention is {model.config.attention}, which is not studied; "
                "add it to --attention or leave the twin out."
            )
        trained[model.config.attention] = QualityModel(twin, model, True)
    return {
        attention: trained.get(attention) or swapped(name, base, attention, options.get(attention, {}))
        for attention in attentions
    }


def swapped(name: str, base: RenderFormer, attention: str, options: dict[str, Any]) -> QualityModel:
    """The base model with this mechanism, sharing its weights; the model itself where it is its own."""
    own = base.config.attention
    model = base
    if attention != own or options:
        model = convert(base, attention, **options)
        weights = base.state_dict()
        shared = {name: weights[name] for name in model.state_dict() if name in weights and MECHANISM not in name}
        model.load_state_dict(shared, strict=False, assign=True)
    need_training = any(find_mechanism(mechanism).needs_training for mechanism in (attention, own))
    return QualityModel(name, model, attention == own or not need_training)


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


@dataclass(frozen=True)
class QualityMean(Judged):
    """Means over the pictures of `scenes` scenes of the series."""

    scenes: int


def means(rows: Sequence[QualityRow]) -> list[QualityMean]:
    """In the order of the rows. All points of a series, a count and a mechanism each, are means over the same scenes,
    so that they compare: over as many as half of the points drew. A point that lacks one of them has no mean.
    """
    points: dict[tuple[str, int, str], dict[int, QualityRow]] = {}
    for row in rows:
        points.setdefault((row.scene, row.triangles, row.attention), {})[row.number] = row
    shared = {scene: _shared([drawn for key, drawn in points.items() if key[0] == scene]) for scene, _, _ in points}
    return [
        _mean([drawn[number] for number in sorted(shared[scene])])
        for (scene, _, _), drawn in points.items()
        if shared[scene] <= drawn.keys()
    ]


def _shared(points: list[dict[int, QualityRow]]) -> frozenset[int]:
    """The most scenes of one point that half of the points drew; if none did, those that the most points drew."""
    drew = {one: sum(one <= drawn.keys() for drawn in points) for one in dict.fromkeys(map(frozenset, points))}
    enough = min(len(points) / 2, max(drew.values()))
    return max((one for one, many in drew.items() if many >= enough), key=len)


def scenes_label(rows: Sequence[QualityMean]) -> str:
    """Of how many scenes each of them is a mean: "mean of 4 scenes", "one scene"."""
    low, high = min(row.scenes for row in rows), max(row.scenes for row in rows)
    if high == 1:
        return "one scene"
    return f"mean of {high} scenes" if low == high else f"mean of {low} to {high} scenes"


def _mean(rows: list[QualityRow]) -> QualityMean:
    first = rows[0]
    beside = [row.softmax for row in rows if row.softmax is not None]
    return QualityMean(
        first.scene,
        first.triangles,
        first.attention,
        first.model,
        first.trained,
        fmean(row.seconds for row in rows),
        _mean_scores([row.truth for row in rows]),
        _mean_scores(beside) if len(beside) == len(rows) else None,
        len(rows),
    )


def _mean_scores(scores: list[dict[str, float]]) -> dict[str, float]:
    common = [name for name in scores[0] if all(name in score for score in scores)]  # lpips may have come later
    return {name: fmean(score[name] for score in scores) for name in common}
