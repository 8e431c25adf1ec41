"""The dataset in memory, and scenes of different sizes as one padded batch of tensors."""

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
from torch import Tensor

from rfcli.dataset.batching import is_validation
from rfcli.dataset.files import sha256_of
from rfcli.dataset.manifest import MANIFEST, Entry, read_manifest
from rfcli.dataset.sample import Sample, read_sample
from rfcli.dataset.training_scene import TrainingScene, at_resolution
from rfcli.errors import InputError
from rfcli.metrics.similarity import log_radiance
from rfcli.model import RenderFormerConfig, SceneBatch
from rfcli.model.cameras import to_camera
from rfcli.model.rendering import SUBPIXEL_SAMPLES
from rfcli.model.visibility import visible_triangles
from rfcli.training.phases import Phase

MAX_SKIPPED_SHARE = 0.01  # of the scenes; a run with more unreadable ones does not start
VALIDATION_SCENES = 16  # more would slow down every validation and hardly change its result


class Reader(Protocol):
    """Reads the training scenes of a phase, given its index: the scenes, and a sentence for each unreadable file."""

    def __call__(self, phase: int) -> tuple[list[TrainingScene], list[str]]: ...


@dataclass
class TrainingData:
    """The training scenes of the current phase, and the validation scenes, which are those of the last phase.

    Attributes:
        train: Training scenes of the current phase.
        validation: Validation scenes, at the resolution of the last phase.
        skipped: A sentence for each scene that could not be read.
        phase: Index of the current phase.
        read: Reads the scenes of another phase; None = all phases have the same scenes.
        sha256: Hash of the manifest of the dataset, which has the hash of each scene; None = not from a dataset.
    """

    train: list[TrainingScene]
    validation: list[TrainingScene]
    skipped: list[str] = field(default_factory=list)
    phase: int = 0
    read: Reader | None = None
    sha256: str | None = None

    def sizes(self) -> npt.NDArray[np.int64]:
        """[S] number of triangles of each training scene."""
        return np.array([len(scene.triangles) for scene in self.train])

    def enter_phase(self, phase: int) -> list[str]:
        """Replace the training scenes by those of another phase.

        Args:
            phase: Index of the phase.

        Returns:
            A sentence for each scene that could not be read and is not in `skipped` yet.
        """
        if self.read is None or phase == self.phase:
            return []
        self.train = []  # freed first: the scenes of two phases may not fit in memory
        self.train, faults = self.read(phase)
        new = [fault for fault in faults if fault not in self.skipped]
        self.skipped.extend(new)
        self.phase = phase
        return new

    def overfitting(self, scenes: int) -> "TrainingData":
        """The first training scenes (all if there are fewer than `scenes`), for training and for validation."""
        return replace(self, train=self.train[:scenes], validation=self.train[:scenes])


@dataclass(frozen=True)
class TrainingBatch:
    """B scenes with V views each.

    Attributes:
        scenes: The triangles.
        c2w: [B, V, 4, 4] camera poses.
        fov: [B, V] fields of view in degrees.
        truth: [B, V, H, H, 3] log10(1 + radiance).
        visible: [B, V, H samples, H samples] int64 index of the triangle that each ray hits, -1 for none; None if the
            model does not use it.
        samples: Rays along a side of a pixel.
    """

    scenes: SceneBatch
    c2w: Tensor
    fov: Tensor
    truth: Tensor
    visible: Tensor | None
    samples: int = 1


def collate(scenes: Sequence[TrainingScene], device: torch.device, monochrome: bool = False) -> TrainingBatch:
    """Stack scenes with the same number of views, and pad their triangles to the largest scene.

    monochrome: whether all colours of the scenes are known to be grey.
    """
    largest = max(len(scene.triangles) for scene in scenes)

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(scene, name) for scene in scenes])).to(device)

    def padded(name: str) -> Tensor:
        first = getattr(scenes[0], name)
        out = np.zeros((len(scenes), largest, *first.shape[1:]), dtype=np.float32)
        for row, scene in zip(out, scenes, strict=True):
            row[: len(scene.triangles)] = getattr(scene, name)
        return torch.from_numpy(out).to(device)

    lengths = torch.tensor([len(scene.triangles) for scene in scenes])
    mask = (torch.arange(largest) < lengths[:, None]).to(device)
    batch = SceneBatch(padded("triangles"), padded("vn"), mask, material=padded("material"), monochrome=monochrome)
    visible = stack("visible").long() if scenes[0].visible is not None else None
    images = stack("images").float()
    samples = 1 if visible is None else visible.shape[-1] // images.shape[-2]
    return TrainingBatch(batch, stack("c2w"), stack("fov"), log_radiance(images), visible, samples)


def read_dataset(folder: Path, phases: Sequence[Phase], config: RenderFormerConfig, current: int = 0) -> TrainingData:
    """Read the training scenes of one phase and the validation scenes of a dataset.

    The scenes of the other phases are selected and checked, but not read.

    Args:
        folder: The dataset.
        phases: All phases of the run.
        config: Configuration of the model.
        current: Index of the phase whose training scenes are read.

    Returns:
        The scenes; `TrainingData.enter_phase` reads those of another phase.

    Raises:
        InputError: A phase has too few scenes, its resolution does not fit, too many files cannot be read, or the
            model needs inputs or makes outputs that datasets do not hold.
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
    entries = read_manifest(folder)
    if not entries:
        raise InputError(f"{folder} holds no scenes; generate a dataset first, or give another folder as `data`.")
    training = [_training_entries(folder, entries, phase, phases) for phase in phases]
    validation = [entry for entry in _of_size(entries, phases[-1]) if is_validation(entry.index)]
    if not validation:
        raise _too_few(folder, _of_size(entries, phases[-1]))
    if len(phases) > 1:
        _check_resolutions(folder, entries, phases, config)

    def read(phase: int) -> tuple[list[TrainingScene], list[str]]:
        scenes, faults = read_scenes(folder, training[phase], phases[phase].resolution, config)
        _check_skipped(folder, faults, len(training[phase]) + len(validation))
        return scenes, faults

    train, skipped = read(current)
    held_out, faults = read_scenes(folder, validation[:VALIDATION_SCENES], phases[-1].resolution, config)
    skipped.extend(faults)
    _check_skipped(folder, skipped, len(training[current]) + len(validation))
    reader = read if len(phases) > 1 else None
    return TrainingData(train, held_out, skipped, current, reader, sha256_of(folder / MANIFEST))


def _of_size(entries: list[Entry], phase: Phase) -> list[Entry]:
    """The scenes whose number of triangles is in the range of a phase."""
    low, high = phase.triangles or (0, math.inf)
    return [entry for entry in entries if low <= entry.triangles <= high]


def _training_entries(folder: Path, entries: list[Entry], phase: Phase, phases: Sequence[Phase]) -> list[Entry]:
    """The training scenes of a phase; InputError if there are none."""
    of_size = _of_size(entries, phase)
    if phase.triangles and not of_size:
        low, high = phase.triangles
        option = "`triangles`" if len(phases) == 1 else f"those of `phases` {phase}"
        raise InputError(f"{folder} holds no scenes of {low:,} to {high:,} triangles; widen {option}.")
    training = [entry for entry in of_size if not is_validation(entry.index)]
    if not training:
        raise _too_few(folder, of_size)
    return training


def _too_few(folder: Path, entries: list[Entry]) -> InputError:
    return InputError(
        f"{folder} holds {len(entries)} scene{'s' * (len(entries) != 1)}, too few to train and validate on; "
        "generate 8 scenes or more."
    )


def _check_resolutions(folder: Path, entries: list[Entry], phases: Sequence[Phase], config: RenderFormerConfig) -> None:
    """Check that every phase can start, before the first one does."""
    side = next((sample.images.shape[1] for sample in _readable(folder, entries)), None)
    for phase in phases:
        if side is not None and side % phase.resolution:
            raise InputError(
                f"`phases` {phase}: the resolution must divide that of the images in {folder}, {side} pixels."
            )
        if phase.resolution % config.patch_size:
            raise InputError(f"`phases` {phase}: the resolution must be a multiple of {config.patch_size}.")


def _readable(folder: Path, entries: list[Entry]) -> Iterator[Sample]:
    for entry in entries:
        with suppress(InputError, OSError):
            yield read_sample(folder / entry.file)


def _check_skipped(folder: Path, skipped: list[str], scenes: int) -> None:
    if len(skipped) > MAX_SKIPPED_SHARE * scenes:
        raise InputError(
            f"{len(skipped)} of the {scenes} scenes in {folder} cannot be read, which is more than "
            f"{MAX_SKIPPED_SHARE:.0%}; repair the dataset (the first: {skipped[0]})"
        )


def read_scenes(
    folder: Path, entries: list[Entry], resolution: int, config: RenderFormerConfig
) -> tuple[list[TrainingScene], list[str]]:
    """Read scenes, and for first-hit models find the triangle that each pixel sees.

    Augmentations keep these triangles (mirrors flip them with the image), so they are found only once.

    Args:
        folder: The dataset.
        entries: The scenes, as its manifest lists them.
        resolution: Side that the images are averaged down to, in pixels.
        config: Configuration of the model.

    Returns:
        The scenes, and a sentence for each file that is missing, broken, or differs from its hash in the manifest.
    """
    scenes, faults = [], []
    for entry in entries:
        path = folder / entry.file
        try:
            if sha256_of(path) != entry.sha256:
                raise InputError("its content differs from the hash in the manifest")
            sample = read_sample(path)
        except (InputError, OSError) as error:
            faults.append(str(error) if str(path) in str(error) else f"{path}: {error}")
            continue
        scene = at_resolution(sample, resolution)
        if config.visibility == "first-hit":
            # With a single ray per pixel, the loss of traced light would mostly be aliasing.
            samples = SUBPIXEL_SAMPLES if config.direct == "traced" else 1
            scene = replace(scene, visible=seen_by_pixels(scene, resolution * samples))
        scenes.append(scene)
    return scenes, faults


def seen_by_pixels(scene: TrainingScene, resolution: int) -> npt.NDArray[np.int32]:
    """[V, H, H] index of the triangle that each pixel of each view sees, -1 for none."""
    triangles = torch.from_numpy(scene.triangles)
    in_views = to_camera(triangles.flatten(0, 1)[None], torch.from_numpy(scene.c2w)[None])
    in_views = rearrange(in_views, "1 v (n k) c -> v n k c", k=3)
    mask = torch.ones(len(triangles), dtype=torch.bool)
    views = zip(in_views, torch.from_numpy(scene.fov), strict=True)
    seen = [visible_triangles(view, mask, fov, resolution) for view, fov in views]
    return torch.stack(seen).numpy().astype(np.int32)
