"""Files found from arguments, and camera numbers."""

from pathlib import Path

import pytest

from rfcli.errors import InputError
from rfcli.pictures.inputs import camera_numbers, find_files, read_inputs
from tests.support.mesh_files import obj, ply, solids


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
        (["absent.json"], ["absent.json"]),  # reading it fails later
    ],
)
def test_files_of_arguments(folder: Path, arguments: list[str], expected: list[str]) -> None:
    assert [str(path) for path in find_files(arguments)] == expected


@pytest.mark.parametrize("argument", ["s/meshes/*.h5", "nowhere/*.json", "s/folder.json"])
def test_folders_and_patterns_without_files_are_errors(folder: Path, argument: str) -> None:
    with pytest.raises(InputError) as error:
        find_files([argument])
    assert str(error.value).startswith(f"{argument}: ")


@pytest.mark.parametrize(("text", "numbers"), [("0", (0,)), ("0,2", (0, 2)), (" 3, 1,3 ", (1, 3)), ("10", (10,))])
def test_camera_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert camera_numbers(text) == numbers


@pytest.mark.parametrize("text", ["", "-1", "0,", "one", "1.5", "0-2"])
def test_other_texts_are_no_camera_numbers(text: str) -> None:
    with pytest.raises(InputError, match="`view`"):
        camera_numbers(text)


def test_files_that_differ_in_their_suffix_only_have_pictures_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_bytes(obj(solids()[0]))
    (tmp_path / "a.ply").write_bytes(ply(solids()[0]))
    (tmp_path / "b.PLY").write_bytes(ply(solids()[1]))
    inputs = read_inputs(find_files([str(tmp_path)]))
    assert [list(item.names) for item in inputs] == [["a-obj"], ["a-ply"], ["b"]]


def test_files_that_cannot_be_read_are_left_out_if_the_caller_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_bytes(obj(solids()[0]))
    (tmp_path / "b.obj").write_text("f 1 2 3\n")
    refused: list[str] = []
    inputs = read_inputs(find_files([str(tmp_path)]), on_refused=lambda path, error: refused.append(str(error)))
    assert [item.path.name for item in inputs] == ["a.obj"]
    assert len(refused) == 1
    assert "b.obj: line 1" in refused[0]
    with pytest.raises(InputError, match=r"b\.obj: line 1"):
        read_inputs(find_files([str(tmp_path)]))
