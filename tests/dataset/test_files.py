import tarfile
from pathlib import Path

import pytest

from rfcli.dataset.files import file_on_disk, file_size, read_bytes


def test_files_on_disk_and_in_a_tar(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"plain")
    with tarfile.open(tmp_path / "p.tar", "w") as tar:
        tar.add(tmp_path / "a.h5", "b.h5")
    for path in (tmp_path / "a.h5", tmp_path / "p.tar" / "b.h5"):
        assert file_size(path) == 5
        assert read_bytes(path) == b"plain"


@pytest.mark.parametrize("name", ["gone.h5", "p.tar/gone.h5", "gone.tar/b.h5", "torn.tar/b.h5", "a.h5/b.h5"])
def test_missing_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.h5").write_bytes(b"plain")
    (tmp_path / "torn.tar").write_bytes(b"no header")
    with tarfile.open(tmp_path / "p.tar", "w") as tar:
        tar.add(tmp_path / "a.h5", "b.h5")
    assert file_size(tmp_path / name) is None
    with pytest.raises(OSError, match=name.split("/")[-1]):
        read_bytes(tmp_path / name)


def test_a_replaced_tar_is_read_again(tmp_path: Path) -> None:
    for content in (b"short", b"a longer one", b""):
        (tmp_path / "a.h5").write_bytes(content)
        with tarfile.open(tmp_path / "p.tar", "w") as tar:
            tar.add(tmp_path / "a.h5")
            tar.add(tmp_path / "a.h5", "b.h5")
        assert read_bytes(tmp_path / "p.tar" / "b.h5") == content


def test_the_file_on_disk_is_the_tar_that_contains_a_scene() -> None:
    assert file_on_disk("scenes/000012.h5") == "scenes/000012.h5"
    assert file_on_disk("packs/000000.tar/000012.h5") == "packs/000000.tar"
