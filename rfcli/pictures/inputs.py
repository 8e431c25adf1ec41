"""Which files a person means: paths, quoted globs, folders."""

import glob
from collections.abc import Sequence
from pathlib import Path

from rfcli.errors import InputError
from rfcli.scene.suffixes import MESHES, SCENES


def find_inputs(arguments: Sequence[str]) -> list[Path]:
    """The files that `arguments` mean, in their order, each once.

    A folder means the scenes that lie in it, or the meshes where it has no scenes. A pattern such as `scenes/*.json`
    or `**/*.h5` means what it matches.
    What is neither is taken as the path of a file, there or not: whoever reads it says so.
    Raises InputError for a folder or a pattern with nothing in it.
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
    for suffixes in (SCENES, MESHES):
        found = [path for path in files if path.suffix.lower() in suffixes]
        if found:
            return found
    raise InputError(
        f"{folder}: there is neither scene nor mesh in this folder; give another ({', '.join(SCENES + MESHES)})."
    )


def _matches(pattern: str) -> list[Path]:
    files = sorted(path for path in map(Path, glob.glob(pattern, recursive=True)) if path.is_file())
    if not files:
        raise InputError(f"{pattern}: no file matches this pattern; correct it.")
    return files
