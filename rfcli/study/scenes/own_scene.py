"""A scene of the user at every triangle count: tessellated above the count of its file, decimated below."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rfcli.errors import InputError
from rfcli.scene import MESH_SUFFIXES, TriangleScene, load, place_file
from rfcli.scene.decimation import decimated
from rfcli.scene.limits import MAX_TRIANGLES
from rfcli.study.scenes.tessellation import tessellated


@dataclass(frozen=True)
class OwnScene:
    """A scene from a file, with its first camera.

    Attributes:
        name: Name of the file.
        scene: The scene as in the file.
    """

    name: str
    scene: TriangleScene
    _cache: dict[int, TriangleScene] = field(default_factory=dict, repr=False, compare=False)

    def at(self, triangles: int) -> TriangleScene:
        """The scene with exactly this triangle count, or with the smallest count that its parts allow.

        Raises InputError if there is nothing but emitters to tessellate.
        """
        if triangles not in self._cache:
            fewer = decimated(self.scene, triangles)
            try:
                self._cache[triangles] = tessellated(fewer, max(triangles, len(fewer)))
            except InputError as error:
                raise InputError(f"`scene` {self.name}: {error}") from error
        return self._cache[triangles]

    def reached(self, counts: Sequence[int]) -> dict[int, int]:
        """The triangle count that the scene reaches, by requested count."""
        return {count: len(self.at(count)) for count in counts}

    def facts(self) -> dict[str, Any]:
        """Identifies the scene in results.json."""
        digest = hashlib.sha256()
        for array in (self.scene.triangles, self.scene.vn, self.scene.material, self.scene.c2w, self.scene.fov):
            digest.update(array.tobytes())
        return {"file": self.name, "triangles": len(self.scene), "sha256": digest.hexdigest()}


def load_own_scene(path: Path, allow_outside: bool = False) -> OwnScene:
    """Read a scene or mesh file; a mesh without cameras and lights is placed on a lit backdrop.

    Args:
        path: Any file that `rf render` reads.
        allow_outside: As in `rfcli.load_scene`.

    Returns:
        The scene.

    Raises:
        InputError: The file cannot be read.
    """
    if path.suffix.lower() in MESH_SUFFIXES:
        scene = place_file(path, max_triangles=MAX_TRIANGLES).scene
    else:
        scene = load(path, allow_outside)
    return OwnScene(path.name, replace(scene, c2w=scene.c2w[:1], fov=scene.fov[:1]))
