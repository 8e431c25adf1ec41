"""What the study is made of: points, and what was measured at each."""

from dataclasses import dataclass
from statistics import median
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from rfcli.study.results.schema import CHECKED, MOST_RUNS, Count, FileName, Part, Seconds, Size

Runs = Field(max_length=MOST_RUNS)


@dataclass(frozen=True)
class Sample:
    """One run of the stage or of a whole render. peak_bytes: memory above the state before it, None where the device
    does not tell.

    operation: seconds of these that went into the attention mechanism itself, its plan included. view: those that went
    into the view-dependent stage, 0 where it was not run.
    """

    seconds: float
    peak_bytes: int | None
    operation: float
    view: float = 0.0


@dataclass(frozen=True)
class Measurement:
    """All timed runs of one mechanism at one triangle count; operation, view: see Sample, of each run."""

    attention: FileName
    triangles: Count
    seconds: Annotated[tuple[Seconds, ...], Runs, Field(min_length=1)]
    peak_bytes: Size | None
    operation: Annotated[tuple[Part, ...], Runs] = ()
    view: Annotated[tuple[Part, ...], Runs] = ()

    __pydantic_config__: ClassVar[ConfigDict] = CHECKED

    @property
    def typical(self) -> float:
        """Median seconds."""
        return median(self.seconds)

    @property
    def typical_operation(self) -> float | None:
        """Median seconds of the mechanism itself; None where it was not timed apart."""
        return median(self.operation) if self.operation else None

    @property
    def typical_view(self) -> float:
        """Median seconds of the view-dependent stage; 0 where it was not run."""
        return median(self.view) if self.view else 0.0

    @property
    def floor_share(self) -> float | None:
        """The median run's part, 0 to 1, that no mechanism can save: products, norms, RoPE, feed-forward."""
        pairs = zip(self.operation, self.seconds, strict=False)
        return median(1 - part / whole for part, whole in pairs) if self.operation else None
