"""Whether a dataset is what its manifest says, and its numbers are what numbers of a scene may be."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.dataset.manifest import Entry, read_manifest, read_record, sha256_of
from rfcli.dataset.sample import HALF_MAX, Sample, read_sample
from rfcli.dataset.stored import on_disk, size_of
from rfcli.errors import InputError
from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file of the dataset (its path in the folder), in a few words."""

    file: str
    what: str


def check(folder: str | Path) -> Iterator[tuple[Entry, list[Fault]]]:
    """Every scene of the manifest with what is wrong with it; a sound one has no faults.

    Raises InputError where there is no dataset, or dataset.json or the manifest cannot be read.
    """
    folder = Path(folder)
    if read_record(folder) is None:
        raise InputError(f"{folder} holds no dataset; give --out FOLDER with one of `rf gen-data`.")
    seen: dict[str, str] = {}  # hash of the triangles -> the file that has them
    for entry in read_manifest(folder):
        yield entry, [Fault(entry.file, what) for what in entry_faults(folder, entry, seen)]


def strays(folder: str | Path) -> list[Fault]:
    """Scenes and packs that the manifest does not know: what a killed run left, or a copy."""
    folder = Path(folder)
    known = {on_disk(entry.file) for entry in read_manifest(folder)}
    paths = [*(folder / "scenes").glob("*.h5"), *(folder / "packs").glob("*.tar")]
    files = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [Fault(file, "not in the manifest") for file in files if file not in known]


def entry_faults(folder: Path, entry: Entry, seen: dict[str, str]) -> Iterator[str]:
    """What is wrong with one scene; `seen` is told of it."""
    path = folder / entry.file
    if size_of(path) is None:
        yield "missing"
        return
    if sha256_of(path) != entry.sha256:
        yield "other bytes than the manifest's hash says"
    try:
        sample = read_sample(path)
    except InputError as error:  # broken, or numbers that are not finite
        yield str(error).removeprefix(str(path)).lstrip(": ")
        return
    counts = (len(sample.scene), len(sample.images))
    if counts != (entry.triangles, entry.views):
        yield f"{counts[0]} triangles and {counts[1]} views, the manifest says {entry.triangles} and {entry.views}"
    yield from range_faults(sample)
    first = seen.setdefault(sha256(sample.scene.triangles.tobytes()).hexdigest(), entry.file)
    if first != entry.file:
        yield f"the same triangles as {first}"


def range_faults(sample: Sample) -> Iterator[str]:
    """Which numbers of a sample are not what they can be."""
    scene, images = sample.scene, sample.images
    reflected = scene.material[:, : ROUGHNESS + 1]
    if reflected.min() < 0 or reflected.max() > 1:
        yield "reflectance or roughness outside 0..1"
    if (scene.material[:, DIFFUSE] + scene.material[:, SPECULAR]).max() > 1 + 1e-3:
        yield "a surface that reflects more than it gets"
    if scene.material[:, EMISSION].min() < 0 or not scene.emitters.any():
        yield "no light, or negative light"
    if np.abs(np.linalg.norm(scene.vn, axis=-1) - 1).max() > 1e-3:
        yield "vertex normals that are not of length 1"
    rotation = scene.c2w[:, :3, :3].astype(np.float64)
    if np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max() > 1e-3 or (np.linalg.det(rotation) < 0).any():
        yield "a camera that is no rotation"
    if scene.fov.min() <= 0 or scene.fov.max() >= 180:
        yield "a field of view outside 0..180 degrees"
    if sample.layers is not None and not adds_up(images, sample.layers):
        yield "light layers that do not add up to the image"
    if (images.max(axis=(1, 2, 3)) == 0).any():
        yield "a black image"


def adds_up(images: npt.NDArray[np.float16], layers: npt.NDArray[np.float16]) -> bool:
    """Whether the layers' sum is the image, but for the rounding of half precision."""
    total = np.minimum(layers.sum(axis=0, dtype=np.float64), HALF_MAX)
    return bool((layers >= 0).all() and np.allclose(total, images, rtol=2e-3, atol=1e-6))
