"""The study on disk.

A study as its files hold it, checked by pydantic when they are read.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self, TypedDict

from rfcli.errors import InputError, violation
from rfcli.runtime.files import replacing
from rfcli.study.quality import QualityRow
from rfcli.study.results.measurement import Measurement
from rfcli.study.results.schema import CHECKED, MOST_POINTS, Count, FileName, Name
from rfcli.study.results.tables import Growth, Row

UNFINISHED = "unfinished.json"  # points of a study that has not ended
RESULTS = "results.json"
LARGEST = 64_000_000  # bytes of it
PICTURES = "pictures"  # folder of what the mechanisms drew


@dataclass(frozen=True)
class Results:
    """All that a study found: figures and report are drawn from it alone, but for the pictures.

    setup: the settings and the environment. rows: of the view-independent stage; renders: of whole renders. fits,
    crossings: of the stage, see `rfcli.study.results.tables`. measurements, render_measurements: the runs behind the
    rows and the renders.
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
        """Of all mechanisms, in their order."""
        everywhere = [row.attention for row in self.rows] + [row.attention for row in self.quality]
        return list(dict.fromkeys(everywhere))

    def write(self, path: Path) -> None:
        """As JSON: the setup's fields at the top, then those of the findings."""
        write_json(path, {**self.setup, **{name: value for name, value in asdict(self).items() if name != "setup"}})


@dataclass
class Findings:
    """What a study has measured so far: points of the stage, whole renders, pictures."""

    measurements: list[Measurement] = field(default_factory=list)
    renders: list[Measurement] = field(default_factory=list)
    quality: list[QualityRow] = field(default_factory=list)


def read_results(path: Path) -> Results:
    """What `Results.write` wrote. Raises InputError where there is no such file or it is not one of a study."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise InputError(f"{path} is too large for the {RESULTS} of a study; give that of a finished study.")
        found = StoredResults.model_validate_json(content)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give the {RESULTS} of a finished study.") from None
    except ValidationError as error:
        wrong, _ = violation(error)
        raise InputError(
            f"{path} is not the {RESULTS} of this version's `rf bench` ({wrong}); measure again."
        ) from error
    findings = {one.name: getattr(found, one.name) for one in fields(Results) if one.name != "setup"}
    return Results({name: value for name, value in found if name not in findings}, **findings)


def read_unfinished(path: Path, setup: dict[str, Any]) -> Findings:
    """Those of an interrupted study, if it had the same setup; else none."""
    try:
        found = StoredFindings.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Findings()
    if found.setup != json.loads(json.dumps(setup)):
        return Findings()
    return Findings(found.measurements, found.renders, found.quality)


def write_unfinished(path: Path, setup: dict[str, Any], findings: Findings) -> None:
    """What `read_unfinished` reads."""
    write_json(path, {"setup": setup, **asdict(findings)})


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Indented JSON, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """One line per row, its fields as columns; an empty field where a number is not known."""
    _write_table(path, [field.name for field in fields(Row)], [asdict(row) for row in rows])


def write_quality_csv(path: Path, rows: Sequence[QualityRow]) -> None:
    """As `write_csv`; the scores become columns such as truth_psnr and softmax_flip."""
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


def _write_table(path: Path, columns: list[str], lines: Sequence[dict[str, Any]]) -> None:
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


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
