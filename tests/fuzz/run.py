"""Fuzzes a reader: python -m tests.fuzz.run hdf5 --minutes 20. Saves each case with a defect in the folder `found`.

A defect is an unexpected exception, more than MAX_SECONDS of processor time for one small file, or more than MAX_MEMORY
bytes. If the interpreter itself crashes or hangs, the case is in found/READER.last.
With atheris installed (pip install atheris), `--atheris` mutates by the coverage of our code and trimesh's. atheris
must instrument these modules as they are imported, so the functions here import them.
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
MAX_SECONDS = 2.0
HANG_SECONDS = 60  # after which the whole run is aborted
MAX_MEMORY = 8 << 30  # bytes of address space, of which torch takes a few GB


def save_case(reader: str, content: bytes) -> Path:
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{reader}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    return path


def defect(reader: str, content: bytes) -> tuple[str, float]:
    """The defect that the reader has for this content, empty if none, and its processor seconds."""
    from tests.fuzz.readers import read

    start, problem = time.process_time(), ""
    try:
        read(reader, content)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"{type(error).__name__} {where.filename}:{where.lineno}"
    seconds = time.process_time() - start
    return problem or ("slow" if seconds > MAX_SECONDS else ""), seconds


def fuzz_by_mutation(reader: str, minutes: float, seed: int) -> str:
    """Run the reader on random mutants of a valid file; returns a summary."""
    from tests.fuzz.readers import read, valid_file

    valid, rng, tried, kinds, slowest = valid_file(reader), np.random.default_rng(seed), 0, set[str](), 0.0
    read(reader, valid)  # imports the libraries
    last = FOUND / f"{reader}.last"
    FOUND.mkdir(exist_ok=True)
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        content = mutated(valid, rng)
        last.write_bytes(content)
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        kind, seconds = defect(reader, content)
        tried, slowest = tried + 1, max(slowest, seconds)
        if kind and kind not in kinds:
            kinds.add(kind)
            print(f"{save_case(reader, content)}: {kind}, {seconds:.2f} s", flush=True)
    faulthandler.cancel_dump_traceback_later()
    last.unlink()
    return f"{tried:,} mutants in {minutes:g} minutes, the slowest {slowest:.2f} s; defects: {len(kinds)}"


def fuzz_by_coverage(reader: str, minutes: float) -> None:
    import atheris

    with atheris.instrument_imports(include=["rfcli", "trimesh"]):
        from tests.fuzz.readers import read, valid_file

    valid = valid_file(reader)
    read(reader, valid)  # imports the libraries

    def once(content: bytes) -> None:
        try:
            read(reader, content)
        except Exception:
            print(save_case(reader, content))
            raise

    corpus = FOUND.parent / "corpus" / reader
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "valid").write_bytes(valid)
    atheris.Setup([sys.argv[0], f"-max_total_time={int(60 * minutes)}", str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    arguments = parser.parse_args()
    faulthandler.enable()
    with contextlib.suppress(ValueError, OSError):  # the system cannot limit memory
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    if arguments.atheris:
        fuzz_by_coverage(arguments.reader, arguments.minutes)
    else:
        print(f"{arguments.reader}: {fuzz_by_mutation(arguments.reader, arguments.minutes, arguments.seed)}")
