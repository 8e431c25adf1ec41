"""Small datasets on disk for the tests of training."""

from pathlib import Path

from rfcli.dataset import Sample, write_sample
from rfcli.dataset.files import sha256_of
from rfcli.dataset.manifest import Entry, write_manifest
from rfcli.scene import TriangleScene
from tests.support.training_scenes import training_scene


def write_dataset(folder: Path, scenes: int, first: int = 0) -> Path:
    """A dataset of random scenes of 10, 11, ... triangles, numbered from `first`; number 0 is held out."""
    (folder / "scenes").mkdir(parents=True)
    entries = []
    for index in range(first, first + scenes):
        given = training_scene(index, 10 + index)
        scene = TriangleScene(given.triangles, given.vn, given.material, given.c2w, given.fov)
        path = folder / "scenes" / f"{index:06d}.h5"
        write_sample(path, Sample(scene, given.images))
        file, size = f"scenes/{path.name}", path.stat().st_size
        entries.append(Entry(index, file, index, len(scene), 2, size, sha256_of(path)))
    write_manifest(folder, entries)
    return folder
