"""The scenes to render: files found from paths, folders and patterns, the cameras chosen, and the names of pictures."""

import glob
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rfcli.errors import InputError
from rfcli.scene import MESH_SUFFIXES, SCENE_SUFFIXES, TriangleScene, load

if TYPE_CHECKING:
    from rfcli.scene import PlacedFile, Up


def find_files(arguments: Sequence[str]) -> list[Path]:
    """The files given by arguments of the command line, in their order, without duplicates.

    A folder stands for the scenes directly in it, or for its meshes if it has no scenes. A pattern such as
    `scenes/*.json` or `**/*.h5` stands for its matches. Anything else is the path of a file, which may not exist.
    Raises InputError for a folder or pattern without files.
    """
    found: list[Path] = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found += _in_folder(path)
        elif not path.exists() and glob.has_magic(argument):
            found += _matches(argument)
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for suffixes in (SCENE_SUFFIXES, MESH_SUFFIXES):
        found = [path for path in files if path.suffix.lower() in suffixes]
        if found:
            return found
    known = ", ".join(SCENE_SUFFIXES + MESH_SUFFIXES)
    raise InputError(f"{folder}: the folder contains no scene and no mesh; give another ({known}).")


def _matches(pattern: str) -> list[Path]:
    files = sorted(path for path in map(Path, glob.glob(pattern, recursive=True)) if path.is_file())
    if not files:
        raise InputError(f"{pattern}: no file matches this pattern; correct it.")
    return files


def camera_numbers(text: str) -> tuple[int, ...]:
    """The numbers in `0,2`, ascending, without duplicates. Raises InputError for any other text."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise InputError(f"`view` '{text}' is not a list of cameras; write 0 or 0,2.")
    return tuple(sorted({int(part) for part in parts}))


@dataclass(frozen=True)
class SceneInput:
    """A scene with the cameras to render.

    Attributes:
        path: File of the scene.
        placed: The scene with all its cameras, and what is known about its preparation.
        views: Numbers of the cameras to render.
        names: Names of their pictures, without folder and suffix.
    """

    path: Path
    placed: "PlacedFile"
    views: Sequence[int]
    names: Sequence[str]

    @property
    def scene(self) -> TriangleScene:
        """The scene with all its cameras."""
        return self.placed.scene

    def with_chosen_cameras(self) -> TriangleScene:
        """The scene with the cameras to render only."""
        return with_cameras(self.scene, self.views)


def with_cameras(scene: TriangleScene, views: Sequence[int]) -> TriangleScene:
    """The scene with these of its cameras only."""
    return replace(scene, c2w=scene.c2w[list(views)], fov=scene.fov[list(views)])


def refuse(path: Path, error: InputError) -> NoReturn:
    """Raises the error: no file is left out."""
    raise error


def read_inputs(
    paths: Sequence[Path],
    views: Sequence[int] | None = None,
    up: "Up" = "auto",
    max_triangles: int = 4096,
    allow_outside: bool = False,
    detail: int | None = None,
    backdrop: bool = False,
    on_refused: Callable[[Path, InputError], None] = refuse,
) -> list[SceneInput]:
    """Read all scenes before the first is rendered, so that an error in the last is found at once.

    Pictures are named after their files, with the suffix where two files differ in it only.

    Args:
        paths: Scene and mesh files.
        views: Numbers of the cameras to render of every scene; None = all.
        up: Vertical axis of meshes.
        max_triangles: Limit for a mesh with its backdrop; larger meshes are decimated.
        allow_outside: As in `rfcli.load_scene`.
        detail: As in `rfcli.scene.place_file`.
        backdrop: As in `rfcli.scene.place_file`.
        on_refused: Called with a file that cannot be read, and the reason; if it returns, the file is left out.

    Raises:
        InputError: A file cannot be read, a camera does not exist, or two pictures have the same name.
    """
    from rfcli.scene import PlacedFile

    inputs, stems = [], Counter(path.stem for path in paths)
    for path in paths:
        stem = path.stem if stems[path.stem] == 1 else f"{path.stem}-{path.suffix[1:]}"
        try:
            if path.suffix.lower() in MESH_SUFFIXES:
                from rfcli.scene import place_file

                placed = place_file(path, up, max_triangles, detail, backdrop)
            else:
                placed = PlacedFile(load(path, allow_outside))
            inputs.append(_with_names(path, stem, placed, views))
        except InputError as error:
            on_refused(path, error)
    names = [name for item in inputs for name in item.names]
    duplicates = [name for name in names if names.count(name) > 1]
    if duplicates:
        raise InputError(f"Two scenes would both be written to {duplicates[0]}.png; render them into two `out`.")
    return inputs


def _with_names(path: Path, stem: str, placed: "PlacedFile", views: Sequence[int] | None) -> SceneInput:
    cameras = len(placed.scene.c2w)
    absent = [view for view in views or () if view >= cameras]
    if absent:
        raise InputError(f"`view` {absent[0]}: {path} has {cameras} cameras, numbered from 0; lower it.")
    chosen = range(cameras) if views is None else views
    names = [stem if cameras == 1 else f"{stem}-view{number}" for number in chosen]
    return SceneInput(path, placed, chosen, names)
