"""dataset.json: the options and the seed of a dataset, the library versions that made it, and its totals."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rfcli.dataset.files import replace_text
from rfcli.dataset.manifest import Entry
from rfcli.errors import InputError

RECORD = "dataset.json"
FORMAT = 2  # to be raised when the same seed and options give other scenes than before
PACKAGES = ("rfcli", "numpy", "trimesh", "manifold3d", "mitsuba", "pyoidn")  # whose versions influence the data
MAX_RECORD_BYTES = 1_000_000
TYPES = {"seed": int, "options": dict, "versions": dict, "asked": int}


def read_record(folder: str | Path) -> dict[str, Any] | None:
    """Content of dataset.json; None if there is none. Raises InputError if it is broken."""
    path = Path(folder) / RECORD
    if not path.exists():
        return None
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            raise ValueError("it is too large")
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or not {"seed", "options"} <= set(record):
            raise ValueError("it lacks seed and options")
        wrong = [name for name, kind in TYPES.items() if type(record.get(name, kind())) is not kind]
        if wrong:
            raise ValueError(f"wrong type of {' and '.join(wrong)}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is broken ({error}); delete the folder or choose another one.") from error
    return record


def write_record(folder: str | Path, record: Mapping[str, Any]) -> None:
    """Replaces dataset.json."""
    replace_text(Path(folder) / RECORD, json.dumps(record, indent=2) + "\n")


def record_differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The options, format and seed that differ between two records, each in words."""
    a, b = ({"format": r.get("format"), "seed": r.get("seed"), **r.get("options", {})} for r in (there, here))
    return [
        f"{name} is {a.get(name)} there and {b.get(name)} here" for name in {**a, **b} if a.get(name) != b.get(name)
    ]


def totals(entries: Sequence[Entry]) -> dict[str, Any]:
    """Counts over all scenes."""
    rejected: Counter[str] = Counter()
    for entry in entries:
        rejected.update(entry.rejected)
    return {
        "scenes": len(entries),
        "views": sum(entry.views for entry in entries),
        "bytes": sum(entry.bytes for entry in entries),
        "rejected": dict(sorted(rejected.items())),
    }


def installed_versions() -> dict[str, str]:
    """Versions of the packages that influence the data."""
    found = {}
    for name in PACKAGES:
        with suppress(ModuleNotFoundError):  # PackageNotFoundError: run from a checkout that was not installed
            found[name] = version(name)
    return found
