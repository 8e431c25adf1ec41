"""A curriculum: stages of a run, each with its own size of images and of scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from rfcli.errors import InputError


@dataclass(frozen=True)
class Stage:
    """steps: of the optimiser. resolution: side of the images, pixels.
    triangles: smallest and largest scenes to learn from; None = all.

    Raises InputError where there are no steps or pixels.
    """

    steps: int
    resolution: int
    triangles: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "resolution"):
            if getattr(self, name) < 1:
                raise InputError(f"--stages {self}: the {name} must be at least 1.")

    def __str__(self) -> str:
        """As `--stages` takes it: `64:4000:256-1024`."""
        size = f":{self.triangles[0]}-{self.triangles[1]}" if self.triangles else ""
        return f"{self.resolution}:{self.steps}{size}"


def ends(stages: Sequence[Stage]) -> list[int]:
    """How many steps of the run are done at the end of each stage."""
    return list(accumulate(stage.steps for stage in stages))


def stage_at(stages: Sequence[Stage], step: int) -> int:
    """Number, from 0, of the stage to which a step of the run belongs; the last for those beyond the end."""
    return min(sum(step >= end for end in ends(stages)), len(stages) - 1)
