from pathlib import Path

import pytest

from rfcli.dataset.manifest import MANIFEST, Entry, append_entry, read_manifest, write_manifest
from rfcli.errors import InputError


def entry(index: int) -> Entry:
    return Entry(index, f"scenes/{index:06d}.h5", 1, 300, 4, 1000, "0" * 64, {"unlit": 2})


def test_entries_are_read_in_order(tmp_path: Path) -> None:
    write_manifest(tmp_path, [entry(2), entry(0)])
    append_entry(tmp_path, entry(1))
    assert list(read_manifest(tmp_path)) == [entry(0), entry(1), entry(2)]


def test_a_missing_manifest_has_no_entries(tmp_path: Path) -> None:
    assert list(read_manifest(tmp_path)) == []


def test_an_incomplete_last_line_is_ignored(tmp_path: Path) -> None:
    write_manifest(tmp_path, [entry(0), entry(1)])
    text = (tmp_path / MANIFEST).read_text()
    for cut in (1, 20):
        (tmp_path / MANIFEST).write_text(text[:-cut])
        assert list(read_manifest(tmp_path)) == [entry(0)]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path, [entry(0), entry(1)])
    lines = (tmp_path / MANIFEST).read_text().split("\n")
    outside = lines[0].replace("scenes/000000.h5", "../../000000.h5")
    absolute = lines[0].replace("scenes/000000.h5", "/etc/passwd")
    words = lines[0].replace('"triangles": 300', '"triangles": "many"')
    negative = lines[0].replace('"bytes": 1000', '"bytes": -1')
    truth = lines[0].replace('"views": 4', '"views": true')
    for broken in ("{", "[]", '{"index": 1}', '{"index": 1, "colour": 2}', outside, absolute, words, negative, truth):
        (tmp_path / MANIFEST).write_text("\n".join([broken, *lines[1:]]))
        with pytest.raises(InputError, match=f"{MANIFEST} line 1"):
            read_manifest(tmp_path)
