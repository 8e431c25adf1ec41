"""The scenes of a dataset that a run trains on and validates on."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange

from rfcli.dataset.batching import VALIDATION_EVERY
from rfcli.dataset.manifest import MANIFEST, Manifest, read_manifest
from rfcli.dataset.storage import Storage
from rfcli.dataset.streaming import StreamedScenes, pack_offsets
from rfcli.dataset.training_scene import TrainingScene
from rfcli.errors import InputError
from rfcli.model import RenderFormerConfig
from rfcli.model.cameras import to_camera
from rfcli.model.rendering import SUBPIXEL_SAMPLES
from rfcli.model.visibility import visible_triangles
from rfcli.training.phases import Phase

MAX_SKIPPED_SHARE = 0.01  # of the scenes; a run with more unreadable ones ends
VALIDATION_SCENES = 16  # more would slow down every validation and hardly change its result

Integers = npt.NDArray[np.int64]


@dataclass
class TrainingData:
    """The training scenes of each phase, and the validation scenes, which are those of the last phase.

    Attributes:
        train: Training scenes of the first phase, and of all others if `later` is empty: a list, or a sequence that
            reads them when they are used.
        validation: Validation scenes, at the resolution of the last phase.
        skipped: A sentence for each scene that could not be read, by its file.
        later: Training scenes of the second and every later phase.
        sha256: Hash of the manifest of the dataset, which has the hash of each scene; None = not from a dataset.
    """

    train: Sequence[TrainingScene]
    validation: list[TrainingScene]
    skipped: dict[str, str] = field(default_factory=dict)
    later: Sequence[Sequence[TrainingScene]] = ()
    sha256: str | None = None

    def scenes(self, phase: int) -> Sequence[TrainingScene]:
        """The training scenes of a phase."""
        return self.later[phase - 1] if phase and self.later else self.train

    def sizes(self, phase: int = 0) -> Integers:
        """[S] number of triangles of each training scene of a phase."""
        scenes = self.scenes(phase)
        if isinstance(scenes, StreamedScenes):
            return scenes.sizes
        return np.array([len(scene.triangles) for scene in scenes])

    def skip(self, phase: int, faults: Sequence[tuple[str, str]]) -> list[str]:
        """Record scenes that could not be read.

        Args:
            phase: The phase in which they were to be read.
            faults: File and a sentence for each.

        Returns:
            The sentences of those that are not recorded yet.

        Raises:
            InputError: They are more than MAX_SKIPPED_SHARE of the scenes.
        """
        new = {file: sentence for file, sentence in faults if file not in self.skipped}
        self.skipped |= new
        scenes = len(self.scenes(phase)) + len(self.validation)
        if new and len(self.skipped) > MAX_SKIPPED_SHARE * scenes:
            raise InputError(
                f"{len(self.skipped)} of the {scenes:,} scenes cannot be read, which is more than "
                f"{MAX_SKIPPED_SHARE:.0%}; repair the dataset: rf data check lists all faults (the first: "
                f"{next(iter(self.skipped.values()))})"
            )
        return list(new.values())

    def overfitting(self, scenes: int) -> "TrainingData":
        """The first training scenes (all if there are fewer than `scenes`), for training and for validation."""
        chosen = [self.train[place] for place in range(min(scenes, len(self.train)))]
        return replace(self, train=chosen, validation=chosen)


def read_dataset(folder: str | Path, phases: Sequence[Phase], config: RenderFormerConfig) -> TrainingData:
    """Open a dataset for training: its manifest, and the validation scenes.

    Training scenes are read when they are used. Their numbers of triangles are those of the manifest.

    Args:
        folder: The dataset: a folder, or a URL that fsspec understands.
        phases: All phases of the run.
        config: Configuration of the model.

    Returns:
        The scenes.

    Raises:
        InputError: A phase has too few scenes, its resolution does not fit, too many validation scenes cannot be read,
            or the model needs inputs or makes outputs that datasets do not hold.
    """
    trainable = {
        "use_ldr": not config.use_ldr,
        "include_alpha": not config.include_alpha,
        "texture_channels": config.material_channels == 13,
    }
    for name, possible in trainable.items():
        if not possible:
            raise InputError(
                f"config field {name} = {getattr(config, name)!r}: such models render, but cannot be trained, since "
                "datasets hold linear radiance without alpha and materials of 13 channels; use another model."
            )
    manifest, storage = read_manifest(folder), Storage(folder)
    if not len(manifest):
        raise InputError(f"{folder} holds no scenes; generate a dataset first, or give another folder as `data`.")
    training = [_training_rows(folder, manifest, phase, phases) for phase in phases]
    of_size = _rows_of_size(manifest, phases[-1])
    held_out = of_size[_held_out(manifest)[of_size]]
    if not len(held_out):
        raise _too_few(folder, len(of_size))
    offsets = pack_offsets(manifest)

    def streamed(rows: Integers, phase: Phase) -> StreamedScenes:
        return StreamedScenes(storage, manifest, offsets, rows, phase.resolution)

    _check_resolutions(folder, streamed(np.concatenate([held_out, *training]), phases[0]), phases, config)
    train, *later = (streamed(rows, phase) for rows, phase in zip(training, phases, strict=True))
    data = TrainingData(train, [], later=later, sha256=_manifest_hash(storage))
    data.validation, faults = read_scenes(streamed(held_out[:VALIDATION_SCENES], phases[-1]), config)
    data.skip(len(phases) - 1, list(faults.items()))
    if not data.validation:
        raise InputError(f"none of the validation scenes of {folder} can be read; repair the dataset.")
    return data


def rays_per_pixel(config: RenderFormerConfig) -> int:
    """Rays along a side of a pixel that a model needs in training; 0 = it does not use the triangles that rays hit."""
    if config.visibility != "first-hit":
        return 0
    # With a single ray per pixel, the loss of traced light would mostly be aliasing.
    return SUBPIXEL_SAMPLES if config.direct == "traced" else 1


def _manifest_hash(storage: Storage) -> str:
    with storage.open(MANIFEST) as file:
        hashed = hashlib.sha256()
        while block := file.read(1 << 20):
            hashed.update(block)
        return hashed.hexdigest()


def _held_out(manifest: Manifest) -> npt.NDArray[np.bool_]:
    """[S] whether each scene is held out; `is_validation` of all scenes."""
    return np.asarray(manifest.numbers % VALIDATION_EVERY == 0)


def _rows_of_size(manifest: Manifest, phase: Phase) -> Integers:
    """The scenes whose number of triangles is in the range of a phase."""
    low, high = phase.triangles or (0, math.inf)
    return np.flatnonzero((manifest.triangles >= low) & (manifest.triangles <= high))


def _training_rows(folder: str | Path, manifest: Manifest, phase: Phase, phases: Sequence[Phase]) -> Integers:
    """The training scenes of a phase; InputError if there are none."""
    of_size = _rows_of_size(manifest, phase)
    if phase.triangles and not len(of_size):
        low, high = phase.triangles
        option = "`triangles`" if len(phases) == 1 else f"those of `phases` {phase}"
        raise InputError(f"{folder} holds no scenes of {low:,} to {high:,} triangles; widen {option}.")
    training = of_size[~_held_out(manifest)[of_size]]
    if not len(training):
        raise _too_few(folder, len(of_size))
    return training


def _too_few(folder: str | Path, scenes: int) -> InputError:
    return InputError(
        f"{folder} holds {scenes} scene{'s' * (scenes != 1)}, too few to train and validate on; "
        "generate 8 scenes or more."
    )


def _check_resolutions(
    folder: str | Path, scenes: StreamedScenes, phases: Sequence[Phase], config: RenderFormerConfig
) -> None:
    """Check that every phase can start, before the first one does."""
    side = next(_image_sides(scenes), None)
    for phase in phases if len(phases) > 1 else ():
        if side is not None and side % phase.resolution:
            raise InputError(
                f"`phases` {phase}: the resolution must divide that of the images in {folder}, {side} pixels."
            )
        if phase.resolution % config.patch_size:
            raise InputError(f"`phases` {phase}: the resolution must be a multiple of {config.patch_size}.")
    if side is not None and side % phases[0].resolution:
        raise InputError(
            f"The dataset holds images of {side} pixels; `resolution` {phases[0].resolution} must divide that."
        )


def _image_sides(scenes: StreamedScenes) -> Iterator[int]:
    """Side of the images of each readable scene among the first ones, as they are stored."""
    for place in range(min(len(scenes), VALIDATION_SCENES)):
        sample = scenes.sample(place)
        if not isinstance(sample, InputError):
            yield sample.images.shape[1]


def read_scenes(scenes: StreamedScenes, config: RenderFormerConfig) -> tuple[list[TrainingScene], dict[str, str]]:
    """Read scenes into memory, and for first-hit models find the triangle that each pixel sees.

    Args:
        scenes: The scenes.
        config: Configuration of the model.

    Returns:
        The scenes, and by file a sentence for each that is missing, broken, or differs from its hash in the manifest.
    """
    read, faults = [], {}
    rays = rays_per_pixel(config)
    for place, scene in enumerate(scenes.read(range(len(scenes)))):
        if isinstance(scene, InputError):
            faults[scenes.path(place)] = str(scene)
        else:
            seen = seen_by_pixels(scene, scenes.resolution * rays) if rays else None
            read.append(replace(scene, visible=seen))
    return read, faults


def seen_by_pixels(scene: TrainingScene, resolution: int) -> npt.NDArray[np.int32]:
    """[V, H, H] index of the triangle that each pixel of each view sees, -1 for none."""
    triangles = torch.from_numpy(scene.triangles)
    in_views = to_camera(triangles.flatten(0, 1)[None], torch.from_numpy(scene.c2w)[None])
    in_views = rearrange(in_views, "1 v (n k) c -> v n k c", k=3)
    mask = torch.ones(len(triangles), dtype=torch.bool)
    views = zip(in_views, torch.from_numpy(scene.fov), strict=True)
    seen = [visible_triangles(view, mask, fov, resolution) for view, fov in views]
    return torch.stack(seen).numpy().astype(np.int32)
