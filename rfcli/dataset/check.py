"""Verification of a dataset: its files against the manifest, its numbers against their valid ranges."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.dataset.files import file_on_disk, file_size, sha256_of
from rfcli.dataset.manifest import Entry, read_manifest
from rfcli.dataset.record import read_record
from rfcli.dataset.sample import FLOAT16_MAX, Sample, read_sample
from rfcli.errors import InputError
from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR


@dataclass(frozen=True)
class Fault:
    """A problem in a dataset.

    Attributes:
        file: Path relative to the dataset's folder.
        problem: Description in a few words.
    """

    file: str
    problem: str


def check_dataset(folder: str | Path) -> Iterator[tuple[Entry, list[Fault]]]:
    """Verifies every scene of a dataset.

    Args:
        folder: The dataset.

    Yields:
        Each scene of the manifest with its faults; an empty list if it is valid.

    Raises:
        InputError: There is no dataset, or dataset.json or the manifest cannot be read.
    """
    folder = Path(folder)
    if read_record(folder) is None:
        raise InputError(f"{folder} holds no dataset; give the folder of a generated dataset.")
    seen: dict[str, str] = {}  # from the hash of a scene's triangles to its file
    for entry in read_manifest(folder):
        yield entry, [Fault(entry.file, problem) for problem in _scene_problems(folder, entry, seen)]


def unlisted_files(folder: str | Path) -> list[Fault]:
    """Scenes and packs that the manifest does not list, for example leftovers of a killed run."""
    folder = Path(folder)
    listed = {file_on_disk(entry.file) for entry in read_manifest(folder)}
    paths = [*(folder / "scenes").glob("*.h5"), *(folder / "packs").glob("*.tar")]
    files = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [Fault(file, "not in the manifest") for file in files if file not in listed]


def _scene_problems(folder: Path, entry: Entry, seen: dict[str, str]) -> Iterator[str]:
    """Problems of one scene; adds it to `seen`."""
    path = folder / entry.file
    if file_size(path) is None:
        yield "missing"
        return
    if sha256_of(path) != entry.sha256:
        yield "content does not match the hash in the manifest"
    try:
        sample = read_sample(path)
    except InputError as error:  # broken, or numbers that are not finite
        yield str(error).removeprefix(str(path)).lstrip(": ")
        return
    counts = (len(sample.scene), len(sample.images))
    if counts != (entry.triangles, entry.views):
        yield f"{counts[0]} triangles and {counts[1]} views; the manifest lists {entry.triangles} and {entry.views}"
    yield from range_problems(sample)
    first = seen.setdefault(sha256(sample.scene.triangles.tobytes()).hexdigest(), entry.file)
    if first != entry.file:
        yield f"the same triangles as {first}"


def range_problems(sample: Sample) -> Iterator[str]:
    """Values of a sample outside their valid ranges, in words."""
    scene, images = sample.scene, sample.images
    reflected = scene.material[:, : ROUGHNESS + 1]
    if reflected.min() < 0 or reflected.max() > 1:
        yield "reflectance or roughness outside 0..1"
    if (scene.material[:, DIFFUSE] + scene.material[:, SPECULAR]).max() > 1 + 1e-3:
        yield "diffuse + specular above 1: a surface reflects more than it receives"
    if scene.material[:, EMISSION].min() < 0 or not scene.emitters.any():
        yield "no light, or negative emission"
    if np.abs(np.linalg.norm(scene.vn, axis=-1) - 1).max() > 1e-3:
        yield "vertex normals not of length 1"
    rotation = scene.c2w[:, :3, :3].astype(np.float64)
    if np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max() > 1e-3 or (np.linalg.det(rotation) < 0).any():
        yield "a camera matrix that is not a rotation"
    if scene.fov.min() <= 0 or scene.fov.max() >= 180:
        yield "a field of view outside 0..180 degrees"
    if sample.layers is not None and not _sum_matches(images, sample.layers):
        yield "the sum of the light layers is not the image"
    if (images.max(axis=(1, 2, 3)) == 0).any():
        yield "a black image"


def _sum_matches(images: npt.NDArray[np.float16], layers: npt.NDArray[np.float16]) -> bool:
    """Whether the light layers are not negative and add up to the images, up to the rounding of float16."""
    total = np.minimum(layers.sum(axis=0, dtype=np.float64), FLOAT16_MAX)
    return bool((layers >= 0).all() and np.allclose(total, images, rtol=2e-3, atol=1e-6))
