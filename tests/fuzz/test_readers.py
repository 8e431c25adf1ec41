"""Readers against mutants of good files, and against every case that fuzzing has found (tests/fuzz/found)."""

from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS, good, read
from tests.fuzz.run import defect

FOUND = sorted((Path(__file__).parent / "found").glob("*-*"))
MUTANTS = 40


@pytest.mark.parametrize("reader", READERS)
def test_mutants_end_well_or_in_a_sentence(reader: str) -> None:
    content, rng = good(reader), np.random.default_rng(0)
    read(reader, content)
    for _ in range(MUTANTS):
        assert defect(reader, mutated(content, rng))[0] == ""


def test_a_defect_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise KeyError(path.name)

    monkeypatch.setitem(READERS, "scene", ("scene.json", broken))
    assert defect("scene", b"{}")[0].startswith("KeyError")


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_fuzzing_found(path: Path) -> None:
    assert defect(path.name.partition("-")[0], path.read_bytes())[0] == ""
