"""The dataset in memory, as training reads it."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange

from rfcli.dataset.manifest import Entry, read_manifest, sha256_of
from rfcli.dataset.sample import read_sample
from rfcli.dataset.split import is_validation
from rfcli.dataset.training_scene import TrainingScene, training_scene
from rfcli.errors import InputError
from rfcli.model import RenderFormerConfig
from rfcli.model.first_hit import visible_triangles
from rfcli.model.rays import to_camera

MOST_SKIPPED = 0.01  # share of the scenes that a run may do without
VALIDATION_SCENES = 16  # more would slow every validation for little more certainty


@dataclass(frozen=True)
class TrainingData:
    """Scenes to learn from and scenes held out, at the resolution of the run. skipped: a sentence for each scene that
    could not be read."""

    train: list[TrainingScene]
    validation: list[TrainingScene]
    skipped: list[str] = field(default_factory=list)

    def overfitting(self, scenes: int) -> "TrainingData":
        """The first so many scenes, both to learn from and to validate on. Raises InputError where there are fewer."""
        if scenes > len(self.train):
            raise InputError(f"--overfit {scenes} asks for more than the {len(self.train)} scenes to learn from.")
        return replace(self, train=self.train[:scenes], validation=self.train[:scenes])


def read_dataset(
    folder: Path, resolution: int, config: RenderFormerConfig, triangles: tuple[int, int] | None = None
) -> TrainingData:
    """The finished scenes of a dataset, split; where `triangles` is given, only scenes of that many.

    Raises InputError where there are too few to train on, or the model makes or reads what datasets do not hold.
    """
    for name, needed in (("use_ldr", False), ("include_alpha", False), ("texture_channels", 13)):
        if getattr(config, name) != needed:
            raise InputError(
                f"config field {name} = {getattr(config, name)!r}: such models render, but datasets hold linear "
                "radiance without alpha and materials of 13 channels; train one without it."
            )
    entries = read_manifest(folder)
    if not entries:
        raise InputError(f"{folder} holds no scenes; make some with `rf gen-data`, or name a dataset with --data.")

    if triangles is not None:
        entries = [entry for entry in entries if triangles[0] <= entry.triangles <= triangles[1]]
        if not entries:
            raise InputError(
                f"{folder} holds no scenes of {triangles[0]:,} to {triangles[1]:,} triangles; widen --triangles."
            )

    def read(held_out: bool, most: int | None) -> list[TrainingScene]:
        chosen = [entry for entry in entries if is_validation(entry.index) == held_out]
        scenes, faults = read_scenes(folder, chosen[:most], resolution, config)
        skipped.extend(faults)
        return scenes

    skipped: list[str] = []
    data = TrainingData(read(False, None), read(True, VALIDATION_SCENES), skipped)
    if len(skipped) > MOST_SKIPPED * len(entries):
        raise InputError(
            f"{len(skipped)} of the {len(entries)} scenes in {folder} cannot be read, which is more than "
            f"{MOST_SKIPPED:.0%}; mend the dataset (the first: {skipped[0]})"
        )
    if not data.train or not data.validation:
        raise InputError(
            f"{folder} holds {len(entries)} scene{'s' * (len(entries) > 1)}, too few to train and validate on; "
            f"add more with `rf gen-data --scenes 8` or more."
        )
    return data


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
            faults.append(f"{path}: {error}")
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
