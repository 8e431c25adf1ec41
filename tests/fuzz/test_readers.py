"""Readers of untrusted files against mutants of valid files and the defects found by fuzzing (tests/fuzz/found)."""

from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS, read, valid_file
from tests.fuzz.run import defect

FOUND = sorted((Path(__file__).parent / "found").glob("*-*"))
MUTANTS = 40


@pytest.mark.parametrize("reader", READERS)
def test_mutants_are_read_or_refused(reader: str) -> None:
    content, rng = valid_file(reader), np.random.default_rng(0)
    read(reader, content)
    for _ in range(MUTANTS):
        assert defect(reader, mutated(content, rng))[0] == ""


def test_unexpected_exceptions_are_defects(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise KeyError(path.name)

    monkeypatch.setitem(READERS, "scene", ("scene.json", broken))
    assert defect("scene", b"{}")[0].startswith("KeyError")


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_defects_found_by_fuzzing_are_fixed(path: Path) -> None:
    assert defect(path.name.partition("-")[0], path.read_bytes())[0] == ""
