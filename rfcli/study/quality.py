"""Image quality: every mechanism renders the same scenes, scored against path-traced images and softmax's pictures."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rfcli.attention import SOFTMAX, find_mechanism
from rfcli.errors import InputError
from rfcli.metrics.scores import score
from rfcli.model import RenderFormer, SceneBatch, convert, load
from rfcli.model.batch import camera_tensors
from rfcli.model.checkpoint import MECHANISM
from rfcli.model.hub import BUNDLED
from rfcli.model.rendering import render_views
from rfcli.pictures.images import Linear, read_exr, write_exr
from rfcli.scene import TriangleScene
from rfcli.study.measure.point import WARM_UP_TRIANGLES
from rfcli.study.measure.timing import PREDICTION_MARGIN, Budget, OnProgress
from rfcli.study.results.quality import TRUTH, QualityRow, picture_path
from rfcli.study.scenes.random_triangles import random_triangle_batch, random_triangle_camera

if TYPE_CHECKING:
    from rfcli.study.scenes.series import SceneSeries

REPEAT_BELOW = 1.0  # seconds: shorter renders are repeated, because one of them is too noisy
REPEATS = 3


@dataclass(frozen=True)
class QualityModel:
    """The model that renders the pictures of a mechanism.

    Attributes:
        name: Name of the checkpoint.
        model: The model, with the mechanism.
        trained: Whether the weights fit the mechanism: they were trained with it, or neither that mechanism nor the
            one they were trained with needs training. If not, a model trained with the mechanism has other pictures.
    """

    name: str
    model: RenderFormer
    trained: bool


def quality_models(
    name: str, twins: Sequence[str], attentions: Sequence[str], options: Mapping[str, dict[str, Any]], device: str
) -> dict[str, QualityModel]:
    """The models that render the pictures of a study.

    Args:
        name: A trained model.
        twins: Models fine-tuned with the mechanism that their config names. The bundled twins of a bundled model, such
            as tiny-performer, are added.
        attentions: The mechanisms.
        options: Options of the mechanisms, by the mechanism's name.
        device: cpu, cuda or mps.

    Returns:
        By mechanism, in the order of `attentions`: its twin, or else the model `name` with its attention replaced.

    Raises:
        InputError: A model cannot be read, or the mechanism of a twin is not studied.
    """
    base = load(name, device=device)
    bundled = [f"{name}-{attention}" for attention in attentions if f"{name}-{attention}" in BUNDLED]
    trained: dict[str, QualityModel] = {}
    for twin in (*bundled, *twins):
        model = load(twin, device=device)
        if model.config.attention not in attentions:
            raise InputError(
                f"`twins` {twin}: its attention is {model.config.attention}, which is not studied; "
                "add it to `attention` or leave the twin out."
            )
        trained[model.config.attention] = QualityModel(twin, model, True)
    return {
        attention: trained.get(attention) or _with_mechanism(name, base, attention, options.get(attention, {}))
        for attention in attentions
    }


def _with_mechanism(name: str, base: RenderFormer, attention: str, options: dict[str, Any]) -> QualityModel:
    """The base model with this mechanism, sharing its weights; the base model itself if it has the mechanism."""
    trained_with = base.config.attention
    model = base
    if attention != trained_with or options:
        model = convert(base, attention, **options)
        weights = base.state_dict()
        shared = {name: weights[name] for name in model.state_dict() if name in weights and MECHANISM not in name}
        model.load_state_dict(shared, strict=False, assign=True)
    need_training = any(find_mechanism(mechanism).needs_training for mechanism in (attention, trained_with))
    return QualityModel(name, model, attention == trained_with or not need_training)


def measure_quality(
    models: Mapping[str, QualityModel],
    series: Sequence["SceneSeries"],
    counts: Sequence[int],
    seconds: float,
    folder: Path,
    finished: Sequence[QualityRow] = (),
    on_progress: OnProgress = lambda spent, expected, event: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[QualityRow]:
    """Render pictures, write them and score them, as far as the seconds last.

    Triangle counts are visited in ascending order. A picture that is not predicted to fit is left out, with the larger
    ones of its mechanism; so is a scene whose path-traced image is not predicted to fit.

    Args:
        models: The model of each mechanism.
        series: The scenes.
        counts: Triangle counts.
        seconds: Budget for everything.
        folder: For the pictures, as EXR.
        finished: Rows that are already known; their pictures are not rendered again.
        on_progress: Called before every picture.
        clock: Monotonic clock, in seconds.

    Yields:
        The scores of each new picture.
    """
    budget = Budget(seconds, list(models), sorted(counts), clock)
    scene_seconds = {(scenes.name, scenes.number): 0.0 for scenes in series}  # per triangle, path tracing included
    warm: set[str] = set()
    done = {(row.scene, row.number, row.triangles, row.attention) for row in finished}
    for row in finished:
        budget.runs[row.attention, row.triangles] = [row.seconds]
    order = sorted(models, key=lambda name: name != SOFTMAX)  # the others are compared with softmax's picture
    for count in budget.counts:
        for scenes in series:
            this = scenes.name, scenes.number
            missing = [name for name in order if (*this, count, name) not in done]
            missing = [name for name in missing if _fits(budget, name, count)]
            if not missing or budget.left() <= PREDICTION_MARGIN * scene_seconds[this] * count:
                continue
            event = f"truth of {scenes.name} scene {scenes.number + 1}, {count:,} triangles"
            on_progress(budget.spent(), seconds, event)
            start = budget.spent()
            scene, truth = scenes.scene_at(count)
            write_exr(picture_path(folder, scenes.name, count, TRUTH, scenes.number), truth)
            scene_seconds[this] = (budget.spent() - start) / count
            for name in missing:
                if not _fits(budget, name, count):
                    continue
                on_progress(budget.spent(), seconds, f"picture by {name}, {count:,} triangles")
                if name not in warm:
                    warm_up(models[name].model, len(truth))
                    warm.add(name)
                path = picture_path(folder, scenes.name, count, SOFTMAX, scenes.number)
                softmax = path if name != SOFTMAX and (*this, count, SOFTMAX) in done else None
                image, render_seconds = timed_picture(models[name].model, scene, len(truth))
                write_exr(picture_path(folder, scenes.name, count, name, scenes.number), image)
                budget.runs[name, count] = [render_seconds]
                done.add((*this, count, name))
                scores = score(image, truth)[0].as_dict()
                softmax_scores = None if softmax is None else score(image, read_exr(softmax))[0].as_dict()
                model = models[name].name, models[name].trained
                yield QualityRow(
                    scenes.name, count, name, *model, render_seconds, scores, softmax_scores, scenes.number
                )


def _fits(budget: Budget, name: str, count: int) -> bool:
    """Whether the picture is predicted to fit; if not, the mechanism is given up from this count on."""
    if budget.allows_run(name, count):
        return True
    budget.give_up(name, count)
    return False


def warm_up(model: RenderFormer, resolution: int) -> None:
    """Render a few triangles, untimed, so that libraries and kernels are loaded before the first timed render."""
    device = next(model.parameters()).device
    batch = random_triangle_batch(WARM_UP_TRIANGLES, 0, device)
    next(render_views(model, batch, *random_triangle_camera(), resolution))


def timed_picture(model: RenderFormer, scene: TriangleScene, resolution: int) -> tuple[Linear, float]:
    """The picture [R, R, 3], linear, of a scene's one camera, and the median seconds of a render."""
    batch, camera = SceneBatch.from_scenes(scene), camera_tensors(scene)
    seconds: list[float] = []
    while not seconds or (len(seconds) <= REPEATS and seconds[-1] < REPEAT_BELOW):
        image, stage, view = next(render_views(model, batch, *camera, resolution))
        seconds.append(stage + view)
    return image[0, 0, ..., :3].cpu().numpy(), median(seconds[1:] or seconds)  # the first of several is a warm-up
