"""What the study is made of: points, and what was measured at each."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One run of the stage. peak_bytes: memory above the state before it, None where the device does not tell."""

    seconds: float
    peak_bytes: int | None


@dataclass(frozen=True)
class Measurement:
    """All timed runs of one mechanism at one triangle count."""

    attention: str
    triangles: int
    seconds: tuple[float, ...]
    peak_bytes: int | None

    @property
    def typical(self) -> float:
        """Median seconds."""
        return median(self.seconds)
