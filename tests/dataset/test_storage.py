"""Files of a dataset in folders and at URLs: what is read, and what is said when it cannot be."""

from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from rfcli.dataset import storage as module
from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.storage import ATTEMPTS, Section, Storage
from rfcli.errors import InputError

CONTENT = bytes(range(200))


@pytest.fixture(params=["folder", "file://", "memory://"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder or URL with the file `a/b.bin`."""
    if request.param == "memory://":
        url = f"memory://{tmp_path.name}"
        with fsspec.open(f"{url}/a/b.bin", "wb") as file:
            file.write(CONTENT)
        return url
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.bin").write_bytes(CONTENT)
    return str(tmp_path) if request.param == "folder" else tmp_path.as_uri()


def test_sections_of_files(place: str) -> None:
    storage = Storage(place)
    assert storage.exists("a/b.bin")
    assert not storage.exists("a/c.bin")
    with storage.open("a/b.bin") as file:
        assert file.read() == CONTENT
    sections = [Section("a/b.bin"), Section("a/b.bin", 3, 7), Section("a/c.bin"), Section("a/b.bin", 0, 0)]
    whole, part, missing, nothing = storage.read(sections)
    assert (whole, part, nothing) == (CONTENT, CONTENT[3:7], b"")
    assert isinstance(missing, FileNotFoundError)


class FailingFileSystem(MemoryFileSystem):
    """Fails `failures` times, with an error that only this file system has."""

    protocol = "failing"
    failures = 0

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        if FailingFileSystem.failures:
            FailingFileSystem.failures -= 1
            raise LookupError("connection reset")
        return CONTENT


@pytest.mark.parametrize("failures", [1, ATTEMPTS - 1, ATTEMPTS])
def test_a_network_that_fails_now_and_then(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    fsspec.register_implementation("failing", FailingFileSystem, clobber=True)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    FailingFileSystem.failures = failures
    (found,) = Storage("failing://x").read([Section("a")])
    if failures < ATTEMPTS:
        assert found == CONTENT
    else:
        assert isinstance(found, OSError)
        assert "connection reset" in str(found)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense://x", "`data` nonsense://x cannot be read .*Protocol not known: nonsense"),
        ("needspackage://x", "`data` needspackage://x needs another package: get it"),
    ],
)
def test_urls_that_cannot_be_read_are_named(url: str, message: str) -> None:
    fsspec.register_implementation("needspackage", "no_such_package.FS", clobber=True, errtxt="get it")
    with pytest.raises(InputError, match=message):
        read_manifest(url)
