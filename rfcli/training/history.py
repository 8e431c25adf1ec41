"""metrics.jsonl: one line per reported step, in the order of steps, also across resumed runs."""

import json
from pathlib import Path
from typing import Any

from rfcli.runtime.files import replacing

HISTORY = "metrics.jsonl"


def forget_after(path: Path, step: int) -> None:
    """Drop the lines of steps that a resumed run will do again, and a last one that a killed run has torn."""
    if not path.exists():
        return
    lines = [line for line in read(path) if line["step"] <= step]
    with replacing(path) as beside:
        beside.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def read(path: Path) -> list[dict[str, Any]]:
    """The lines so far, without one that is torn."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]  # what follows the last newline is torn


def record(path: Path, step: int, values: dict[str, Any]) -> None:
    """Append what is known of a step."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, **values}) + "\n")
