"""Receipts: the JSON object that --json prints at the end of a run."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rfcli

if TYPE_CHECKING:
    from rfcli.model import RenderFormer
    from rfcli.study import Results


def receipt(command: str, seconds: float, device: str, outputs: Sequence[Path | str], **fields: Any) -> dict[str, Any]:
    """The common fields of all receipts, then the command's own `fields`, in plain JSON types."""
    common = {
        "command": command,
        "version": rfcli.__version__,
        "device": device,
        "seconds": round(seconds, 3),
        "outputs": outputs,
    }
    return {key: plain(value) for key, value in {**common, **fields}.items()}


def model_entry(name: str, model: "RenderFormer") -> dict[str, Any]:
    """The `model` field: name it was loaded by, attention mechanism, number of parameters."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"name": name, "attention": model.config.attention, "parameters": parameters}


def study_entries(results: "Results") -> dict[str, Any]:
    """The fields about a study, for results just measured and for results read from a file."""
    return {name: getattr(results, name) for name in ("rows", "renders", "fits", "crossings", "quality")}


def plain(value: Any) -> Any:
    """Convert to JSON types: paths and other objects to text, array scalars to numbers, NaN and infinities to null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item"):  # a scalar of numpy or torch
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def as_json(fields: dict[str, Any]) -> str:
    """The receipt as one line of JSON, in ASCII, which every encoding of stdout has."""
    return json.dumps(fields, allow_nan=False)
