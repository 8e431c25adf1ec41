"""The study on disk."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rfcli.atomic import replacing
from rfcli.study.measurement import Measurement
from rfcli.study.results import Row

UNFINISHED = "unfinished.json"  # points of a study that has not ended


def read_unfinished(path: Path, setup: dict[str, Any]) -> list[Measurement]:
    """The points of an interrupted study, if it had the same setup; else none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["setup"] != json.loads(json.dumps(setup)):
            return []
        return [Measurement(**{**point, "seconds": tuple(point["seconds"])}) for point in content["measurements"]]
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return []


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Indented JSON, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """One line per row, its fields as columns; an empty field where a number is not known."""
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
