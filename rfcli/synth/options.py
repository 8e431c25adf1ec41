"""What may be chosen about random scenes."""

from dataclasses import dataclass

from rfcli.errors import InputError
from rfcli.synth.own_meshes import OwnMeshes

SMALLEST = 128  # triangles: a coarse room with a simple object in it


@dataclass(frozen=True)
class SceneOptions:
    """Range of a scene's total triangle count (drawn log-uniformly), number of cameras, and
    meshes of which half of the objects are made.

    Raises InputError where the range is empty or too small, or there are no views.
    """

    triangles: tuple[int, int] = (256, 1536)
    views: int = 4
    meshes: OwnMeshes | None = None

    def __post_init__(self) -> None:
        low, high = self.triangles
        if not SMALLEST <= low <= high:
            raise InputError(
                f"--triangles {low}-{high} is not a range that scenes can have; "
                f"give LOW-HIGH with {SMALLEST} <= LOW <= HIGH."
            )
        if self.views < 1:
            raise InputError(f"--views is {self.views}; give at least 1.")
