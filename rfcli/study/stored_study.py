"""A study as its files hold it, checked by pydantic when they are read."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self, TypedDict

from rfcli.study.measurement import Measurement
from rfcli.study.quality import QualityRow
from rfcli.study.results import Growth, Row
from rfcli.study.stored_numbers import CHECKED, MOST_POINTS, Count, FileName, Name

Points = Annotated[list[Measurement], Field(max_length=MOST_POINTS)]
Rows = Annotated[list[Row], Field(max_length=MOST_POINTS)]
Pictures = Annotated[list[QualityRow], Field(max_length=MOST_POINTS)]
Pair = Annotated[str, Field(max_length=600, pattern=r"^[^<]+<[^<]+$")]  # "a<b": a takes less time than b


class Environment(TypedDict):
    """What reports say of the machine."""

    processor: str
    threads: Count
    torch: str
    precision: str


class Scene(TypedDict):
    """What reports say of a scene of the user's own."""

    file: Name


class StoredResults(BaseModel):
    """results.json: first the setup, of which only what reports tell is checked, then the findings."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow", protected_namespaces=())

    model: Name
    layers: Count
    model_layers: Count
    device: Name
    environment: Environment
    pixels: Count | None = None
    processes: Count = 1
    scene: Scene | None = None
    rows: Rows
    renders: Rows
    fits: dict[FileName, Growth]
    crossings: dict[Pair, Count | None]
    quality: Pictures
    measurements: Points
    render_measurements: Points
    crossing_intervals: dict[Pair, tuple[Count, Count] | None]

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        if all(row.seconds is None for row in self.rows):
            raise ValueError("no row has seconds")
        for row in (*self.rows, *self.renders):
            if row.seconds is not None and (row.seconds_low is None or row.seconds_high is None):
                raise ValueError(f"seconds of {row.attention} at {row.triangles} triangles have no interval")
        return self


class StoredFindings(BaseModel):
    """unfinished.json."""

    model_config = CHECKED

    setup: dict[str, Any]
    measurements: Points
    renders: Points
    quality: Pictures
