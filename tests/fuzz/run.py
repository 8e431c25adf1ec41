"""Fuzz a reader: python -m tests.fuzz.run hdf5 --minutes 20. Keeps each case that is a defect in the folder `found`.

A defect is an exception that no user should see, more than SECONDS of the processor's time for one small file, or more
than MEMORY bytes. Where the interpreter itself crashes or hangs, the case is in found/READER.last.
With atheris installed (pip install atheris), `--atheris` lets coverage guide the changes: of our code and trimesh's,
whose modules have to be imported under its eyes, and so inside the functions here.
"""

import argparse
import contextlib
import faulthandler
import hashlib
import resource
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from tests.fuzz.mutations import mutated

FOUND = Path(__file__).parent / "found"
SECONDS = 2.0
HANGS = 60  # seconds after which a case is given up, with the whole run
MEMORY = 8 << 30  # of addresses: a few GB are torch's own


def keep(reader: str, content: bytes) -> Path:
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{reader}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    return path


def defect(reader: str, content: bytes) -> tuple[str, float]:
    """What is wrong with how the reader ends, in words, nothing where it ends well; and its seconds."""
    from tests.fuzz.readers import read

    start, what = time.process_time(), ""
    try:
        read(reader, content)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} {where.filename}:{where.lineno}"
    seconds = time.process_time() - start
    return what or ("slow" if seconds > SECONDS else ""), seconds


def by_mutation(reader: str, minutes: float, seed: int) -> str:
    """Mutants of a good file; what was done, in words."""
    from tests.fuzz.readers import good, read

    start, rng, tried, kinds, slowest = good(reader), np.random.default_rng(seed), 0, set[str](), 0.0
    read(reader, start)  # which imports what it needs
    last = FOUND / f"{reader}.last"
    FOUND.mkdir(exist_ok=True)
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        content = mutated(start, rng)
        last.write_bytes(content)
        faulthandler.dump_traceback_later(HANGS, exit=True)
        kind, seconds = defect(reader, content)
        tried, slowest = tried + 1, max(slowest, seconds)
        if kind and kind not in kinds:
            kinds.add(kind)
            print(f"{keep(reader, content)}: {kind}, {seconds:.2f} s", flush=True)
    faulthandler.cancel_dump_traceback_later()
    last.unlink()
    return f"{tried:,} mutants in {minutes:g} minutes, the slowest {slowest:.2f} s; defects: {len(kinds)}"


def by_coverage(reader: str, minutes: float) -> None:
    import atheris

    with atheris.instrument_imports(include=["rfcli", "trimesh"]):
        from tests.fuzz.readers import good, read

    start = good(reader)
    read(reader, start)  # which imports what it needs

    def once(content: bytes) -> None:
        try:
            read(reader, content)
        except Exception:
            print(keep(reader, content))
            raise

    corpus = FOUND.parent / "corpus" / reader
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "good").write_bytes(start)
    atheris.Setup([sys.argv[0], f"-max_total_time={int(60 * minutes)}", str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    told = parser.parse_args()
    faulthandler.enable()
    with contextlib.suppress(ValueError, OSError):  # a system that does not limit memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if told.atheris:
        by_coverage(told.reader, told.minutes)
    else:
        print(f"{told.reader}: {by_mutation(told.reader, told.minutes, told.seed)}")
