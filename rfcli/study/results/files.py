"""Files of a study: results.json and unfinished.json, checked by pydantic when they are read, and the CSV tables."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self, TypedDict

from rfcli.errors import InputError, validation_message
from rfcli.runtime.files import replacing
from rfcli.study.results.fits import Growth
from rfcli.study.results.measurement import CHECKED, MAX_POINTS, Count, FileName, Measurement, Name
from rfcli.study.results.quality import QualityRow
from rfcli.study.results.tables import Row

RESULTS = "results.json"
UNFINISHED = "unfinished.json"  # measured points of a study that has not ended
PICTURES = "pictures"  # folder of the mechanisms' pictures
MAX_RESULTS_BYTES = 64_000_000


@dataclass(frozen=True)
class Results:
    """Everything that a study found. Figures and report are made from it alone, except for the pictures.

    Attributes:
        setup: Settings and environment.
        rows: Table of the view-independent stage.
        renders: Table of whole renders.
        fits: Growth of the stage's seconds, by mechanism.
        crossings: By "a<b": the triangle count from which mechanism a is faster than b in the stage; None = nowhere.
        quality: Scores of the pictures.
        measurements: The runs behind `rows`.
        render_measurements: The runs behind `renders`.
        crossing_intervals: 95 % interval of each crossing; None if there is no crossing.
    """

    setup: dict[str, Any]
    rows: list[Row]
    renders: list[Row]
    fits: dict[str, Growth]
    crossings: dict[str, int | None]
    quality: list[QualityRow]
    measurements: list[Measurement]
    render_measurements: list[Measurement]
    crossing_intervals: dict[str, list[int] | None]

    def names(self) -> list[str]:
        """All mechanisms, in the order of the tables."""
        return list(dict.fromkeys([row.attention for row in self.rows] + [row.attention for row in self.quality]))

    def write(self, path: Path) -> None:
        """Write JSON: the setup's fields at the top level, then all others."""
        _write_json(path, {**self.setup, **{name: value for name, value in asdict(self).items() if name != "setup"}})


@dataclass
class UnfinishedStudy:
    """The measurements of a study so far.

    Attributes:
        measurements: Points of the stage.
        renders: Points of whole renders.
        quality: Scores of pictures.
    """

    measurements: list[Measurement] = field(default_factory=list)
    renders: list[Measurement] = field(default_factory=list)
    quality: list[QualityRow] = field(default_factory=list)


def read_results(path: Path) -> Results:
    """Read a file of `Results.write`.

    Args:
        path: A results.json.

    Returns:
        The results.

    Raises:
        InputError: The file is missing, or is not the results.json of a study.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_RESULTS_BYTES + 1)
        if len(content) > MAX_RESULTS_BYTES:
            raise InputError(f"{path} is too large for the {RESULTS} of a study; give that of a finished study.")
        found = _StoredResults.model_validate_json(content)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give the {RESULTS} of a finished study.") from None
    except ValidationError as error:
        wrong, _ = validation_message(error)
        raise InputError(f"{path} is not the {RESULTS} of this version of rf ({wrong}); measure again.") from error
    values = {one.name: getattr(found, one.name) for one in fields(Results) if one.name != "setup"}
    return Results({name: value for name, value in found if name not in values}, **values)


def read_unfinished(path: Path, setup: dict[str, Any]) -> UnfinishedStudy:
    """The points of an interrupted study with the same setup; none if there is no such study."""
    try:
        found = _StoredUnfinishedStudy.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return UnfinishedStudy()
    if found.setup != json.loads(json.dumps(setup)):
        return UnfinishedStudy()
    return UnfinishedStudy(found.measurements, found.renders, found.quality)


def write_unfinished(path: Path, setup: dict[str, Any], unfinished: UnfinishedStudy) -> None:
    """Write the points so far, for `read_unfinished`."""
    _write_json(path, {"setup": setup, **asdict(unfinished)})


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write a line per row with its attributes as columns; unknown numbers are empty."""
    _write_table(path, [field.name for field in fields(Row)], [asdict(row) for row in rows])


def write_quality_csv(path: Path, rows: Sequence[QualityRow]) -> None:
    """Write a line per picture; scores become columns such as truth_psnr and softmax_flip."""
    plain = ["scene", "number", "triangles", "attention", "model", "trained", "seconds"]
    metrics = list(dict.fromkeys(name for row in rows for name in row.truth))
    scores = [f"{reference}_{name}" for reference in ("truth", "softmax") for name in metrics]
    lines = []
    for row in rows:
        line = {name: getattr(row, name) for name in plain}
        for reference in ("truth", "softmax"):
            line |= {f"{reference}_{name}": value for name, value in (getattr(row, reference) or {}).items()}
        lines.append(line)
    _write_table(path, [*plain, *scores], lines)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_table(path: Path, columns: list[str], lines: Sequence[dict[str, Any]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


_Points = Annotated[list[Measurement], Field(max_length=MAX_POINTS)]
_Rows = Annotated[list[Row], Field(max_length=MAX_POINTS)]
_Pictures = Annotated[list[QualityRow], Field(max_length=MAX_POINTS)]
_Pair = Annotated[str, Field(max_length=600, pattern=r"^[^<]+<[^<]+$")]  # "a<b": a takes less time than b


class _Environment(TypedDict):
    """The fields of the environment that reports show."""

    processor: str
    threads: Count
    torch: str
    precision: str


class _Scene(TypedDict):
    """The field of the user's scene that reports show."""

    file: Name


class _StoredResults(BaseModel):
    """results.json. Of the setup, only the fields that reports show are checked."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow", protected_namespaces=())

    model: Name
    layers: Count
    model_layers: Count
    device: Name
    environment: _Environment
    pixels: Count | None = None
    processes: Count = 1
    scene: _Scene | None = None
    rows: _Rows
    renders: _Rows
    fits: dict[FileName, Growth]
    crossings: dict[_Pair, Count | None]
    quality: _Pictures
    measurements: _Points
    render_measurements: _Points
    crossing_intervals: dict[_Pair, tuple[Count, Count] | None]

    @model_validator(mode="after")
    def _check_seconds(self) -> Self:
        if all(row.seconds is None for row in self.rows):
            raise ValueError("no row has seconds")
        for row in (*self.rows, *self.renders):
            if row.seconds is not None and (row.seconds_low is None or row.seconds_high is None):
                raise ValueError(f"seconds of {row.attention} at {row.triangles} triangles have no interval")
        return self


class _StoredUnfinishedStudy(BaseModel):
    """unfinished.json."""

    model_config = CHECKED

    setup: dict[str, Any]
    measurements: _Points
    renders: _Points
    quality: _Pictures
