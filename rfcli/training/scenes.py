"""The dataset in memory, as training reads it."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange

from rfcli.dataset.manifest import MANIFEST, Entry, read_manifest, sha256_of
from rfcli.dataset.sample import Sample, read_sample
from rfcli.dataset.split import is_validation
from rfcli.dataset.training_scene import TrainingScene, training_scene
from rfcli.errors import InputError
from rfcli.model import RenderFormerConfig
from rfcli.model.cameras import to_camera
from rfcli.model.visibility import visible_triangles
from rfcli.training.stages import Stage

MOST_SKIPPED = 0.01  # share of the scenes that a run may do without
VALIDATION_SCENES = 16  # more would slow every validation for little more certainty


class Reader(Protocol):
    """Reads the scenes to learn from in a stage of the run, by its number from 0; and a sentence for each fault."""

    def __call__(self, stage: int) -> tuple[list[TrainingScene], list[str]]: ...


@dataclass
class TrainingData:
    """Scenes to learn from, those of the stage that the run is in, and scenes held out, as its last stage has them.

    skipped: a sentence for each scene that could not be read. stage: number, from 0, of that whose scenes are here.
    read: reads those of another; None where all stages learn from the same. sha256: of the dataset's manifest, which
    has the hash of each scene; None where they are from no dataset.
    """

    train: list[TrainingScene]
    validation: list[TrainingScene]
    skipped: list[str] = field(default_factory=list)
    stage: int = 0
    read: Reader | None = None
    sha256: str | None = None

    def enter(self, stage: int) -> list[str]:
        """Put the scenes of that stage in place of those that were here. Returns what is newly skipped."""
        if self.read is None or stage == self.stage:
            return []
        self.train = []  # first, since memory may not hold two stages
        self.train, faults = self.read(stage)
        new = [fault for fault in faults if fault not in self.skipped]
        self.skipped.extend(new)
        self.stage = stage
        return new

    def overfitting(self, scenes: int) -> "TrainingData":
        """The first so many scenes, both to learn from and to validate on. Raises InputError where there are fewer."""
        if scenes > len(self.train):
            raise InputError(f"--overfit {scenes} asks for more than the {len(self.train)} scenes to learn from.")
        return replace(self, train=self.train[:scenes], validation=self.train[:scenes])


def read_dataset(folder: Path, stages: Sequence[Stage], config: RenderFormerConfig, now: int = 0) -> TrainingData:
    """The finished scenes of a dataset, split; to learn from those of stage `now`, held out those of the last stage.

    Only these are read, but all stages are looked at. Raises InputError where a stage finds too few scenes to train on,
    or the model makes or reads what datasets do not hold.
    """
    for name, needed in (("use_ldr", False), ("include_alpha", False), ("texture_channels", 13)):
        if getattr(config, name) != needed:
            raise InputError(
                f"config field {name} = {getattr(config, name)!r}: such models render, but datasets hold linear "
                "radiance without alpha and materials of 13 channels; train one without it."
            )
    every = read_manifest(folder)
    if not every:
        raise InputError(f"{folder} holds no scenes; make some with `rf gen-data`, or name a dataset with --data.")
    learned = [_to_learn(folder, every, stage, stages) for stage in stages]
    held_out = [entry for entry in _fitting(every, stages[-1]) if is_validation(entry.index)]
    if not held_out:
        raise _too_few(folder, _fitting(every, stages[-1]))
    if len(stages) > 1:
        _check_resolutions(folder, every, stages, config)

    def read(stage: int) -> tuple[list[TrainingScene], list[str]]:
        scenes, faults = read_scenes(folder, learned[stage], stages[stage].resolution, config)
        _check_skipped(folder, faults, len(learned[stage]) + len(held_out))
        return scenes, faults

    train, skipped = read(now)
    validation, more = read_scenes(folder, held_out[:VALIDATION_SCENES], stages[-1].resolution, config)
    skipped.extend(more)
    _check_skipped(folder, skipped, len(learned[now]) + len(held_out))
    more_to_read = read if len(stages) > 1 else None
    return TrainingData(train, validation, skipped, now, more_to_read, sha256_of(folder / MANIFEST))


def _fitting(entries: list[Entry], stage: Stage) -> list[Entry]:
    low, high = stage.triangles or (0, math.inf)
    return [entry for entry in entries if low <= entry.triangles <= high]


def _to_learn(folder: Path, entries: list[Entry], stage: Stage, stages: Sequence[Stage]) -> list[Entry]:
    """The scenes that a stage learns from. Raises InputError where there are none."""
    fitting = _fitting(entries, stage)
    if stage.triangles and not fitting:
        low, high = stage.triangles
        option = "--triangles" if len(stages) == 1 else f"those of --stages {stage}"
        raise InputError(f"{folder} holds no scenes of {low:,} to {high:,} triangles; widen {option}.")
    learned = [entry for entry in fitting if not is_validation(entry.index)]
    if not learned:
        raise _too_few(folder, fitting)
    return learned


def _too_few(folder: Path, entries: list[Entry]) -> InputError:
    return InputError(
        f"{folder} holds {len(entries)} scene{'s' * (len(entries) != 1)}, too few to train and validate on; "
        f"add more with `rf gen-data --scenes 8` or more."
    )


def _check_resolutions(folder: Path, entries: list[Entry], stages: Sequence[Stage], config: RenderFormerConfig) -> None:
    """Raise InputError where a stage could not begin, before hours are spent on those before it."""
    side = next((sample.images.shape[1] for sample in _readable(folder, entries)), None)
    for stage in stages:
        if side is not None and side % stage.resolution:
            raise InputError(f"--stages {stage}: {folder} holds images of {side} pixels, which that must divide.")
        if stage.resolution % config.patch_size:
            raise InputError(f"--stages {stage}: the resolution must be a multiple of {config.patch_size}.")


def _readable(folder: Path, entries: list[Entry]) -> Iterator[Sample]:
    for entry in entries:
        with suppress(InputError, OSError):
            yield read_sample(folder / entry.file)


def _check_skipped(folder: Path, skipped: list[str], of: int) -> None:
    if len(skipped) > MOST_SKIPPED * of:
        raise InputError(
            f"{len(skipped)} of the {of} scenes in {folder} cannot be read, which is more than "
            f"{MOST_SKIPPED:.0%}; mend the dataset (the first: {skipped[0]})"
        )


def read_scenes(
    folder: Path, entries: list[Entry], resolution: int, config: RenderFormerConfig
) -> tuple[list[TrainingScene], list[str]]:
    """Scenes with images at `resolution`, and with what each pixel sees where the model wants to be told; and for each
    file that is missing, broken, or not what the manifest's hash says, a sentence that names it.

    Visibility survives every augmentation (mirrors flip it with the image), so it is computed once.
    """
    scenes, faults = [], []
    for entry in entries:
        path = folder / entry.file
        try:
            if sha256_of(path) != entry.sha256:
                raise InputError("its bytes are not those that the manifest's hash is of")
            sample = read_sample(path)
        except (InputError, OSError) as error:
            faults.append(str(error) if str(path) in str(error) else f"{path}: {error}")
            continue
        scene = training_scene(sample, resolution)
        if config.visibility == "first-hit":
            scene = replace(scene, visible=seen_by_pixels(scene, resolution))
        scenes.append(scene)
    return scenes, faults


def seen_by_pixels(scene: TrainingScene, resolution: int) -> npt.NDArray[np.int32]:
    """[V, H, H] the triangle that each pixel of each view sees, -1 for none."""
    triangles = torch.from_numpy(scene.triangles)
    in_views = to_camera(triangles.flatten(0, 1)[None], torch.from_numpy(scene.c2w)[None])
    in_views = rearrange(in_views, "1 v (n k) c -> v n k c", k=3)
    mask = torch.ones(len(triangles), dtype=torch.bool)
    views = zip(in_views, torch.from_numpy(scene.fov), strict=True)
    seen = [visible_triangles(view, mask, fov, resolution) for view, fov in views]
    return torch.stack(seen).numpy().astype(np.int32)
