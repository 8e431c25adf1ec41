"""A part of a dataset that is made by itself, on another machine perhaps."""

import re
from dataclasses import dataclass

from rfcli.errors import InputError


@dataclass(frozen=True)
class Shard:
    """Every `parts`-th scene, from scene `part` - 1 on; parts are counted from 1.

    So all shards grow when the dataset does, and take about the same time. Raises InputError where there is no such
    part.
    """

    part: int
    parts: int

    def __post_init__(self) -> None:
        if not 1 <= self.part <= self.parts:
            raise InputError(f"--shard {self} is not a part of a whole; give 1/{max(1, self.parts)} or one above.")

    def __str__(self) -> str:
        return f"{self.part}/{self.parts}"

    def indices(self, scenes: int) -> range:
        """The numbers of its scenes in a dataset of `scenes`."""
        return range(self.part - 1, scenes, self.parts)


WHOLE = Shard(1, 1)


def read_shard(text: str) -> Shard:
    """`3/16` as a shard. Raises InputError, naming --shard, for anything else."""
    match = re.fullmatch(r"\s*(\d{1,7})\s*/\s*(\d{1,7})\s*", text)
    if match is None:
        raise InputError(f"--shard '{text}' is not a part of a whole; write it as 3/16, the third of sixteen.")
    return Shard(int(match[1]), int(match[2]))
