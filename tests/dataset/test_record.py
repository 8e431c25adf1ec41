from pathlib import Path

import pytest

from rfcli.dataset.record import RECORD, read_record, record_differences, write_record
from rfcli.errors import InputError


def test_a_written_record_is_read(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    record = {"seed": 3, "options": {"views": 2}}
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


@pytest.mark.parametrize(
    "broken", ['{"seed": ', "[]", '{"seed": 3}', '{"seed": "3", "options": {}}', "[" * 100_000, "\xff"]
)
def test_a_broken_record_is_named(tmp_path: Path, broken: str) -> None:
    (tmp_path / RECORD).write_text(broken, encoding="latin-1")
    with pytest.raises(InputError, match=RECORD):
        read_record(tmp_path)


def test_differences_are_named() -> None:
    there, here = ({"format": 2, "seed": 1, "options": {"views": views}} for views in (2, 3))
    assert record_differences(there, there) == []
    assert record_differences(there, {**here, "seed": 0}) == [
        "seed is 1 there and 0 here",
        "views is 2 there and 3 here",
    ]
