"""Fuzz a reader: python -m tests.fuzz.run hdf5 --minutes 20. Writes each case that is a defect beside this file.

With atheris installed (pip install atheris), `--atheris` lets coverage guide the changes.
"""

import argparse
import hashlib
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from tests.fuzz.readers import READERS, good, mutated, read

FOUND = Path(__file__).parent / "found"


def keep(reader: str, content: bytes) -> Path:
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{reader}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    return path


def by_mutation(reader: str, minutes: float, seed: int) -> int:
    """Mutants of a good file; how many were tried."""
    start, rng, tried, kinds = good(reader), np.random.default_rng(seed), 0, set[str]()
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        content = mutated(start, rng)
        tried += 1
        try:
            read(reader, content)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} {where.filename}:{where.lineno}"
            if kind not in kinds:
                kinds.add(kind)
                print(f"{keep(reader, content)}: {kind}: {error}")
    return tried


def by_coverage(reader: str, minutes: float) -> None:
    import atheris

    atheris.instrument_all()

    def once(content: bytes) -> None:
        try:
            read(reader, content)
        except Exception:
            print(keep(reader, content))
            raise

    corpus = FOUND.parent / "corpus" / reader
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "good").write_bytes(good(reader))
    atheris.Setup([sys.argv[0], f"-max_total_time={int(60 * minutes)}", str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args()
    if options.atheris:
        by_coverage(options.reader, options.minutes)
    else:
        print(f"{options.reader}: {by_mutation(options.reader, options.minutes, options.seed):,} mutants")
