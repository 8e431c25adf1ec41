"""Files are whole or absent, whatever ends the writing."""

import os
from pathlib import Path

import pytest

from rfcli.runtime.files import clear_unfinished, replacing


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    with replacing(tmp_path / "a.txt") as beside:
        beside.write_text("whole")
    inode = (tmp_path / "a.txt").stat().st_ino
    assert events == [("synced", inode), ("named", inode)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    def stop() -> None:
        with replacing(tmp_path / "a.txt") as beside:
            beside.write_text("half")
            raise error

    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(error):
        stop()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    kept = ["a.txt", ".gitignore", ".a.b.txt", "b.12.txt"]
    for name in (*kept, ".a.12.txt", ".000001.4711.h5", ".manifest.5.jsonl"):
        (tmp_path / name).write_text("")
    clear_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
