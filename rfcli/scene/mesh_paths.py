"""Mesh files of a scene: inside its folder, small enough, and what was probably meant where there is no such file."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from rfcli.errors import InputError
from rfcli.scene.limits import MAX_TRIANGLES
from rfcli.scene.mesh_size import check_mesh_size
from rfcli.scene.schema import Object

MAX_LISTED = 10_000  # entries of a folder among which a name is looked for


def check_meshes(parts: Sequence[Object], path: Path, allow_outside: bool) -> None:
    """Check the mesh files of a scene before any of them is read.

    Raises InputError if one is missing or outside the scene's folder (`../`, an absolute path, a symbolic link), or if
    all of them together declare more triangles than a scene can have.
    """
    folder, declared, triangles = path.parent.resolve(), dict[str, int](), 0
    for part in parts:
        name, file = part.mesh_path, path.parent / part.mesh_path
        if name not in declared:
            if not allow_outside and not file.resolve().is_relative_to(folder):
                raise InputError(
                    f"{path}: mesh_path {name} leads outside the scene's folder; move the mesh into it, or set "
                    "`allow_outside` if you trust the scene."
                )
            if not file.is_file():
                meant = probable_name(path.parent, name)
                remedy = f"write {meant}" if meant else "correct mesh_path, which is relative to the scene file"
                raise InputError(f"{path}: mesh_path {name}: there is no such mesh; {remedy}.")
            declared[name] = check_mesh_size(file)
        triangles += part.remesh_target_face_num if part.remesh else declared[name]
        if triangles > MAX_TRIANGLES:
            raise InputError(
                f"{path}: its objects have {triangles:,} triangles or more; decimate them to {MAX_TRIANGLES:,} at most."
            )


def probable_name(folder: Path, name: str) -> str | None:
    """The path of an existing file below `folder` that differs from `name` in the way systems do; None if none does.

    Differences: backslashes of Windows, %20 of web addresses, capital letters where the file system ignores them.
    """
    for written in dict.fromkeys((name, name.replace("\\", "/"), unquote(name), unquote(name).replace("\\", "/"))):
        found = _in_any_case(folder, written)
        if found and found != name:
            return found
    return None


def _in_any_case(folder: Path, name: str) -> str | None:
    """The path of a file as it is spelled on disk, from `folder`; None if there is none or the path leads out of it."""
    found, parts = folder, list[str]()
    for wanted in name.split("/"):
        if wanted in ("", "."):
            continue
        if wanted == ".." or not found.is_dir():
            return None
        names = [entry.name for entry, _ in zip(found.iterdir(), range(MAX_LISTED), strict=False)]
        spelled = wanted if wanted in names else next((n for n in names if n.casefold() == wanted.casefold()), None)
        if spelled is None:
            return None
        found /= spelled
        parts.append(spelled)
    return "/".join(parts) if found.is_file() else None
