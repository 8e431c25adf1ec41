"""What is to be rendered: scenes, those of their cameras that are asked for, and how their pictures are called."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rfcli.errors import InputError
from rfcli.scene import TriangleScene, load
from rfcli.scene.suffixes import MESHES

if TYPE_CHECKING:
    from rfcli.scene.stage import Up


@dataclass(frozen=True)
class Job:
    """A scene with those of its cameras that are asked for.

    path: the scene's file. whole: the scene with all its cameras. views: the numbers of the cameras asked for.
    names: of their pictures, without folder and suffix. notes: what became of a mesh on its way to the stage.
    """

    path: Path
    whole: TriangleScene
    views: Sequence[int]
    names: Sequence[str]
    notes: Sequence[str] = ()

    @property
    def scene(self) -> TriangleScene:
        """The scene with the cameras asked for only."""
        return with_cameras(self.whole, self.views)

    def camera(self, view: int) -> TriangleScene:
        """The scene with one camera, by its number in the file."""
        return with_cameras(self.whole, [view])


def with_cameras(scene: TriangleScene, views: Sequence[int]) -> TriangleScene:
    """The scene with these of its cameras only."""
    return replace(scene, c2w=scene.c2w[list(views)], fov=scene.fov[list(views)])


def read_jobs(
    paths: Sequence[Path],
    views: Sequence[int] | None = None,
    up: "Up" = "auto",
    max_triangles: int = 4096,
    allow_outside: bool = False,
) -> list[Job]:
    """All of them before the first is rendered, so that a mistake in the last costs no waiting.

    views: the numbers of the cameras wanted of every scene, None for all. up, max_triangles: of meshes, which are put
    on a stage. allow_outside: as `rfcli.load_scene`.
    Raises InputError where a scene or mesh cannot be read, lacks such a camera, or would overwrite another's pictures.
    """
    jobs = []
    for path in paths:
        if path.suffix.lower() in MESHES:
            from rfcli.scene.stage import stage

            staged = stage(path, up, max_triangles)
            jobs.append(_job(path, staged.scene, views, staged.notes))
        else:
            jobs.append(_job(path, load(path, allow_outside), views))
    names = [name for job in jobs for name in job.names]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"Two of the scenes would both be written to {twice[0]}.png; render them into two --out.")
    return jobs


def _job(path: Path, scene: TriangleScene, views: Sequence[int] | None, notes: Sequence[str] = ()) -> Job:
    cameras = len(scene.c2w)
    absent = [view for view in views or () if view >= cameras]
    if absent:
        raise InputError(f"--view {absent[0]}: {path} has {cameras} cameras, numbered from 0; lower it.")
    wanted = range(cameras) if views is None else views
    names = [path.stem if cameras == 1 else f"{path.stem}-view{number}" for number in wanted]
    return Job(path, scene, wanted, names, notes)


def view_numbers(text: str) -> tuple[int, ...]:
    """The numbers in `0,2`, ascending and each once. Raises InputError, naming --view, for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise InputError(f"--view '{text}' is not a list of cameras; write 0 or 0,2.")
    return tuple(sorted({int(part) for part in parts}))
