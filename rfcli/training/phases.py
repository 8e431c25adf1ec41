"""Phases of a curriculum: parts of a run, each with its own image resolution and scene sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from rfcli.errors import InputError


@dataclass(frozen=True)
class Phase:
    """One phase of a curriculum.

    Attributes:
        steps: Number of optimiser steps, at least 1.
        resolution: Side of the training images in pixels, at least 1.
        triangles: Smallest and largest number of triangles of the training scenes, both included; None = all scenes.

    Raises:
        InputError: `steps` or `resolution` is below 1.
    """

    steps: int
    resolution: int
    triangles: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "resolution"):
            if getattr(self, name) < 1:
                raise InputError(f"`phases` {self}: the {name} must be at least 1.")

    def __str__(self) -> str:
        """In the notation of the command line: `64:4000:256-1024`."""
        size = f":{self.triangles[0]}-{self.triangles[1]}" if self.triangles else ""
        return f"{self.resolution}:{self.steps}{size}"


def phase_ends(phases: Sequence[Phase]) -> list[int]:
    """Number of steps of the run that are done at the end of each phase."""
    return list(accumulate(phase.steps for phase in phases))


def phase_at(phases: Sequence[Phase], step: int) -> int:
    """Index of the phase of a step; steps after the end of the run belong to the last phase."""
    return min(sum(step >= end for end in phase_ends(phases)), len(phases) - 1)
