"""What the numbers and names of a study can be: pydantic checks them where a study is read from a file."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

CHECKED = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")

MOST_POINTS = 10_000  # of a study
MOST_RUNS = 10_000  # of a point
LONGEST = 1e12  # seconds, such as are extrapolated

Count = Annotated[int, Field(ge=1, lt=2**63)]
Size = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
Part = Annotated[float, Field(ge=0, le=LONGEST)]  # seconds of something that may take none
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
