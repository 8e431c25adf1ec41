"""Paths, globs and folders against folders made by hand."""

from pathlib import Path

import pytest

from rfcli.errors import InputError
from rfcli.pictures.inputs import find_inputs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.json", "a.h5", "c.hdf5", "notes.txt", "meshes/m.obj", "deep/er/d.json", "deep/e[1].json"):
        path = tmp_path / "s" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "s" / "folder.json").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["s"], ["s/a.h5", "s/b.json", "s/c.hdf5"]),
        (["s/*.json"], ["s/b.json"]),
        (["**/*.json"], ["s/b.json", "s/deep/e[1].json", "s/deep/er/d.json"]),
        (["s/[ab].*"], ["s/a.h5", "s/b.json"]),
        (["s/deep/e[1].json"], ["s/deep/e[1].json"]),  # a file whose name looks like a pattern
        (["s/c.hdf5", "s", "s/c.hdf5"], ["s/c.hdf5", "s/a.h5", "s/b.json"]),
        (["absent.json"], ["absent.json"]),  # whoever reads it says that it is absent
    ],
)
def test_what_is_found(folder: Path, arguments: list[str], expected: list[str]) -> None:
    assert [str(path) for path in find_inputs(arguments)] == expected


@pytest.mark.parametrize("argument", ["s/meshes/*.h5", "nowhere/*.json", "s/folder.json"])
def test_nothing_found_is_a_mistake(folder: Path, argument: str) -> None:
    with pytest.raises(InputError) as error:
        find_inputs([argument])
    assert str(error.value).startswith(f"{argument}: ")
