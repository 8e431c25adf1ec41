"""Files are complete or absent, however writing ends; a locked folder refuses other runs."""

import os
from pathlib import Path

import pytest

from rfcli.dataset.sample import read_sample
from rfcli.errors import InputError
from rfcli.runtime.files import check_not_lfs_pointer, clear_unfinished, is_text, legible, locked, replacing
from rfcli.scene import load


def test_file_is_synced_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, int]] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        events.append(("synced", os.fstat(descriptor).st_ino))
        fsync(descriptor)

    def named(source: Path, target: Path) -> None:
        events.append(("named", os.stat(source).st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", named)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("complete")
    inode = (tmp_path / "a.txt").stat().st_ino
    assert events == [("synced", inode), ("named", inode)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_error_keeps_the_older_file(tmp_path: Path, error: type[BaseException]) -> None:
    def stop() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(error):
        stop()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_only_files_of_killed_processes_are_cleared(tmp_path: Path) -> None:
    kept = ["a.txt", ".gitignore", ".a.b.txt", "b.12.txt"]
    for name in (*kept, ".a.12.txt", ".000001.4711.h5", ".manifest.5.jsonl"):
        (tmp_path / name).write_text("")
    clear_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no advisory locks on folders")
def test_locked_folder_refuses_a_second_run_until_the_first_ends(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with locked(folder), pytest.raises(InputError, match="Another rf is writing to"), locked(folder):
        pass
    with locked(folder):
        assert list(folder.iterdir()) == []


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 13512\n"


@pytest.mark.parametrize("name", ["a.obj", "a.ply", "a.glb", "a.stl", "a.off", "a.h5", "a.json"])
@pytest.mark.parametrize("content", [POINTER, POINTER.replace(b"git-lfs.github", b"hawser.github")])
def test_a_git_lfs_pointer_in_place_of_any_scene_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name} is a Git LFS pointer, .*run `git lfs pull`"):
        load(tmp_path / name)


def test_a_git_lfs_pointer_in_a_dataset_is_named(tmp_path: Path) -> None:
    (tmp_path / "000000.h5").write_bytes(POINTER)
    with pytest.raises(InputError, match="Git LFS pointer"):
        read_sample(tmp_path / "000000.h5")


def test_files_that_only_resemble_a_pointer_are_none(tmp_path: Path) -> None:
    for content in (b"", POINTER[:20], b" " + POINTER, POINTER + b"x" * 1024, b"version 2"):
        (tmp_path / "a").write_bytes(content)
        check_not_lfs_pointer(tmp_path / "a")
    check_not_lfs_pointer(tmp_path / "missing")
    check_not_lfs_pointer(tmp_path)


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"a.obj", "a.obj"), ("müller".encode(), "müller"), (b"m\xfcller", r"m\xfcller"), (b"\xff", r"\xff")],
)
def test_legible_names(name: bytes, shown: str) -> None:
    path = os.fsdecode(name)
    assert legible(path) == legible(Path(path)) == shown
    assert is_text(path) == (b"\\x" not in shown.encode())
