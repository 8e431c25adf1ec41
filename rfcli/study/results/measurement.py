"""Measurements of a study, and the limits of every field that a study stores.

Measurements are read back from files, so pydantic checks them against these limits.
"""

from dataclasses import dataclass
from statistics import median
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

CHECKED = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")

MAX_POINTS = 10_000  # of a study
MAX_RUNS = 10_000  # of a point
MAX_SECONDS = 1e12  # extrapolated seconds can be large

Count = Annotated[int, Field(ge=1, lt=2**63)]
Size = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS)]
PartSeconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]  # of a part of a run, which may take no time
Finite = Annotated[float, Field(ge=-1e300, le=1e300)]
Name = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]
FileName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]  # or part of one


def _has_psnr(scores: dict[str, float]) -> dict[str, float]:
    if "psnr" not in scores:
        raise ValueError("there is no psnr among the scores")
    return scores


Scores = Annotated[
    dict[Name, Annotated[float, Field(ge=-1e4, le=1e4)]], Field(max_length=20), AfterValidator(_has_psnr)
]
_Runs = Field(max_length=MAX_RUNS)


@dataclass(frozen=True)
class Sample:
    """One run of the view-independent stage or of a whole render.

    Attributes:
        seconds: Wall time of the run.
        peak_bytes: Peak memory above the state before the first run. None if the device does not report it.
        operation: Seconds of these in the attention mechanism itself, including its plan.
        view: Seconds of these in the view-dependent stage; 0 if it was not run.
    """

    seconds: float
    peak_bytes: int | None
    operation: float
    view: float = 0.0


@dataclass(frozen=True)
class Measurement:
    """All timed runs of one mechanism at one triangle count.

    Attributes:
        attention: Name of the curve: the mechanism, with kernel and number format if they are studied separately.
        triangles: Triangle count.
        seconds: Wall time of each run.
        peak_bytes: As in `Sample`, over all runs.
        operation: As in `Sample`, of each run.
        view: As in `Sample`, of each run.
    """

    attention: FileName
    triangles: Count
    seconds: Annotated[tuple[Seconds, ...], _Runs, Field(min_length=1)]
    peak_bytes: Size | None
    operation: Annotated[tuple[PartSeconds, ...], _Runs] = ()
    view: Annotated[tuple[PartSeconds, ...], _Runs] = ()

    __pydantic_config__: ClassVar[ConfigDict] = CHECKED

    @property
    def median_seconds(self) -> float:
        return median(self.seconds)

    @property
    def median_operation(self) -> float | None:
        """Median seconds of the mechanism itself; None if it was not timed separately."""
        return median(self.operation) if self.operation else None

    @property
    def floor_share(self) -> float | None:
        """Median share of a run, 0 to 1, outside the mechanism: matrix products, norms, RoPE, feed-forward layers."""
        pairs = zip(self.operation, self.seconds, strict=False)
        return median(1 - part / whole for part, whole in pairs) if self.operation else None
