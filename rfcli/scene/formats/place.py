"""From a file of another program to a scene."""

from dataclasses import replace
from pathlib import Path

from rfcli.errors import InputError
from rfcli.scene.backdrop import PlacedFile, Up, on_backdrop
from rfcli.scene.formats.contents import Contents
from rfcli.scene.formats.placement import place_scene
from rfcli.scene.formats.read import read_contents


def place_file(
    path: Path,
    up: Up = "auto",
    max_triangles: int = 4096,
    detail: int | None = None,
    backdrop: bool = False,
) -> PlacedFile:
    """Read a mesh, or a scene of another program.

    Args:
        path: A file with one of MESH_SUFFIXES.
        up: Vertical axis of a mesh; scenes (glTF) specify theirs.
        max_triangles: Limit; a mesh or scene with more triangles is decimated.
        detail: Cut triangles within which the material varies, up to this number of triangles; None: none is cut, each
            has the mean of its material.
        backdrop: Place the meshes of a scene on the backdrop, too, without its cameras and lights.

    Returns:
        A file with cameras or lights as it is, any other on the backdrop.

    Raises:
        InputError: The file cannot be read, or shows nothing.
    """
    contents = read_contents(path)
    return place_contents(contents, path, up, max_triangles, detail, backdrop or not contents.is_scene)


def place_contents(
    contents: Contents, source: Path | str, up: Up, max_triangles: int, detail: int | None, backdrop: bool
) -> PlacedFile:
    """Place contents with or without a backdrop; messages name their `source`."""
    try:
        if backdrop:
            placed = on_backdrop(contents, Path(source).suffix, up, max_triangles, detail)
        else:
            placed = place_scene(contents, max_triangles, detail)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return replace(placed, notes=tuple(f"{source}: {note}" for note in placed.notes))
