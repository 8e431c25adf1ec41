"""Candidates for a scene: their random numbers, which differ between splits, and the error that rejects one.

A scene is the first of its candidates that is not rejected.
No scene or shape of one split (train, validation, test) appears in another.
"""

import hashlib
from typing import Literal

import numpy as np

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
FILE_SPLIT_PARTS = 16  # one mesh file in 16 is for validation, one for the test


class RejectedError(Exception):
    """This candidate is not a good scene; the message is the reason in a few words."""


def random_stream(seed: int, index: int, attempt: int, split: Split) -> np.random.Generator:
    """The random numbers of candidate `attempt` for scene `index`: its shapes, materials, lights and cameras.

    Each split has its own spawn key in the seed sequence, so no seed of one split gives a scene of another.
    """
    key = SPLITS.index(split)
    sequence = np.random.SeedSequence([seed, index, attempt], spawn_key=(key,) if key else ())
    return np.random.Generator(np.random.PCG64(sequence))


def split_of(content: bytes) -> Split:
    """The split of a mesh file, from its content alone and not from its name or folder."""
    part = hashlib.sha256(content).digest()[0] % FILE_SPLIT_PARTS
    return "validation" if part == 0 else "test" if part == 1 else "train"
