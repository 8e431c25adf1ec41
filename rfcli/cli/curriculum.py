"""`--stages`: a curriculum, `64:4000:256-1k,128:2000`; how long a run is, and on what, where there is none."""

import re
from typing import Any

from rfcli.cli.options import triangle_range
from rfcli.errors import InputError
from rfcli.training.stages import Stage

FORM = "RESOLUTION:STEPS, with :LOW-HIGH for triangles behind it, as in 64:4000:256-1k,128:2000"
RESOLUTION = 64  # where nobody says otherwise
LARGEST_RESOLUTION, MOST_STEPS = 4096, 10**9


def curriculum(
    stages: str | None, steps: int | None, resolution: int | None, triangles: str | None, usual_steps: int
) -> dict[str, Any]:
    """What `TrainOptions` is to know of the length of the run, its images and its scenes, from the four options.

    A stage that names no triangles has those of --triangles. Raises InputError where options contradict each other.
    """
    scenes = None if triangles is None else triangle_range("--triangles", triangles)
    if stages is None:
        return {"steps": steps or usual_steps, "resolution": resolution or RESOLUTION, "triangles": scenes}
    for name, value in (("--steps", steps), ("--resolution", resolution)):
        if value is not None:
            raise InputError(f"--stages has the steps and the resolution of each stage; leave out {name}.")
    parsed = tuple(_stage(part, scenes) for part in stages.split(","))
    total = sum(stage.steps for stage in parsed)
    return {"stages": parsed, "steps": total, "resolution": parsed[-1].resolution, "triangles": scenes}


def _stage(text: str, triangles: tuple[int, int] | None) -> Stage:
    """One stage. Raises InputError where that is not what the text says."""
    match = re.fullmatch(r"\s*(\d{1,10}):(\d{1,10})(?::([^:]+))?\s*", text)
    if match is None:
        raise InputError(f"--stages: '{text.strip()}' is no stage; give {FORM}.")
    resolution, steps = int(match[1]), int(match[2])
    if not (8 <= resolution <= LARGEST_RESOLUTION and 1 <= steps <= MOST_STEPS):
        raise InputError(
            f"--stages: '{text.strip()}' must have 8 to {LARGEST_RESOLUTION} pixels and 1 to {MOST_STEPS:,} steps."
        )
    return Stage(steps, resolution, triangle_range("--stages", match[3]) if match[3] else triangles)
