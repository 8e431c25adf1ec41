"""What may be chosen about random scenes."""

from dataclasses import dataclass

from rfcli.errors import InputError
from rfcli.synth.own_meshes import OwnMeshes
from rfcli.synth.splits import SPLITS, Split

LARGEST = 1 << 20  # triangles: shapes are cut no finer
SMALLEST = 128  # triangles: a coarse room with a simple object in it


@dataclass(frozen=True)
class SceneOptions:
    """Range of a scene's total triangle count, number of cameras, meshes of which half of the objects are made, the
    split, of which none shares scenes or shapes with another, and the law of the count: log-uniform, or as a curriculum
    needs it, many small scenes to begin with and few large ones.

    Raises InputError where the range is empty or too small, there are no views, or no such split.
    """

    triangles: tuple[int, int] = (256, 1536)
    views: int = 4
    meshes: OwnMeshes | None = None
    split: Split = "train"
    curriculum: bool = False

    def __post_init__(self) -> None:
        low, high = self.triangles
        if not SMALLEST <= low <= high <= LARGEST:
            raise InputError(
                f"--triangles {low}-{high} is not a range that scenes can have; "
                f"give LOW-HIGH with {SMALLEST} <= LOW <= HIGH <= {LARGEST}."
            )
        if self.views < 1:
            raise InputError(f"--views is {self.views}; give at least 1.")
        if self.split not in SPLITS:
            raise InputError(f"--split is {self.split}; give {', '.join(SPLITS)}.")
