"""A user's own scene at every triangle count: subdivided or decimated."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rfcli.errors import InputError
from rfcli.scene import TriangleScene, load
from rfcli.scene.limits import LARGEST_SCENE
from rfcli.scene.stage import stage
from rfcli.scene.suffixes import MESHES
from rfcli.study.decimation import decimated
from rfcli.study.tessellation import tessellated


@dataclass(frozen=True)
class OwnScene:
    """name: of its file. scene: as the file has it, with its first camera."""

    name: str
    scene: TriangleScene
    _made: dict[int, TriangleScene] = field(default_factory=dict, repr=False, compare=False)

    def at(self, triangles: int) -> TriangleScene:
        """The scene with exactly so many triangles, or, where its parts cannot be decimated that far, as few as they
        can: halves of the largest triangles beyond the file's own count, decimated and filled up so below it.

        Raises InputError where there is nothing but emitters to halve.
        """
        if triangles not in self._made:
            fewer = decimated(self.scene, triangles)
            try:
                self._made[triangles] = tessellated(fewer, max(triangles, len(fewer)))
            except InputError as error:
                raise InputError(f"--scene {self.name}: {error}") from error
        return self._made[triangles]

    def reached(self, counts: Sequence[int]) -> dict[int, int]:
        """By count that is asked for: the count that the scene can be brought to."""
        return {count: len(self.at(count)) for count in counts}

    def facts(self) -> dict[str, Any]:
        """For results.json: what tells this scene from another."""
        digest = hashlib.sha256()
        for array in (self.scene.triangles, self.scene.vn, self.scene.material, self.scene.c2w, self.scene.fov):
            digest.update(array.tobytes())
        return {"file": self.name, "triangles": len(self.scene), "sha256": digest.hexdigest()}


def own_scene(path: Path, allow_outside: bool = False) -> OwnScene:
    """The scene in a file that `rf render` reads; a mesh is put on the lit stage.

    allow_outside: as `rfcli.load_scene`. Raises InputError where the file cannot be read.
    """
    if path.suffix.lower() in MESHES:
        scene = stage(path, max_triangles=LARGEST_SCENE).scene
    else:
        scene = load(path, allow_outside)
    return OwnScene(path.name, replace(scene, c2w=scene.c2w[:1], fov=scene.fov[:1]))
