"""Scenes to learn from, to choose by, and to be judged by, which never share a shape: fixed for ever by the seed."""

import hashlib
from typing import Literal

import numpy as np

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
PARTS = 16  # a file of one's own in 16 is for validation, one for the test


def stream(seed: int, index: int, attempt: int, split: Split) -> np.random.Generator:
    """The random numbers of one draw of a scene, from which every shape, material, light and camera is made.

    Each split has its own key in the seed's hash, so that no seed of one gives a scene, or a shape, of another.
    """
    key = SPLITS.index(split)
    sequence = np.random.SeedSequence([seed, index, attempt], spawn_key=(key,) if key else ())
    return np.random.Generator(np.random.PCG64(sequence))


def split_of(content: bytes) -> Split:
    """The split to which a mesh file belongs: by its content, whatever it is called and beside whatever it lies."""
    part = hashlib.sha256(content).digest()[0] % PARTS
    return "validation" if part == 0 else "test" if part == 1 else "train"
