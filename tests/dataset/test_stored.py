import tarfile
from pathlib import Path

import pytest

from rfcli.dataset.stored import bytes_of, on_disk, size_of


def test_files_on_the_disk_and_in_a_tar(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"plain")
    with tarfile.open(tmp_path / "p.tar", "w") as tar:
        tar.add(tmp_path / "a.h5", "b.h5")
    for path in (tmp_path / "a.h5", tmp_path / "p.tar" / "b.h5"):
        assert size_of(path) == 5
        assert bytes_of(path) == b"plain"


@pytest.mark.parametrize("name", ["gone.h5", "p.tar/gone.h5", "gone.tar/b.h5", "torn.tar/b.h5", "a.h5/b.h5"])
def test_what_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.h5").write_bytes(b"plain")
    (tmp_path / "torn.tar").write_bytes(b"no header")
    with tarfile.open(tmp_path / "p.tar", "w") as tar:
        tar.add(tmp_path / "a.h5", "b.h5")
    assert size_of(tmp_path / name) is None
    with pytest.raises(OSError, match=name.split("/")[-1]):
        bytes_of(tmp_path / name)


def test_a_tar_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    for content in (b"short", b"a longer one", b""):
        (tmp_path / "a.h5").write_bytes(content)
        with tarfile.open(tmp_path / "p.tar", "w") as tar:
            tar.add(tmp_path / "a.h5")
            tar.add(tmp_path / "a.h5", "b.h5")
        assert bytes_of(tmp_path / "p.tar" / "b.h5") == content


def test_what_lies_on_the_disk() -> None:
    assert on_disk("scenes/000012.h5") == "scenes/000012.h5"
    assert on_disk("packs/000000.tar/000012.h5") == "packs/000000.tar"
