"""results.json of `rf bench --from` and `--compare` with values that no study can have."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.bad_input.conftest import Refused
from tests.support.study_results import invented_results

Change = Callable[[dict[str, Any]], object]


def put(value: object, *place: str | int) -> Change:
    def change(document: dict[str, Any]) -> None:
        inside: Any = document
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = value

    return change


CASES: list[tuple[str, Change, list[str]]] = [
    ("seconds-in-quotes", put("0.1", "rows", 0, "seconds"), ["rows.0.seconds"]),
    ("seconds-nan", put(float("nan"), "rows", 0, "seconds"), ["rows.0.seconds"]),
    ("seconds-negative", put(-1.0, "rows", 1, "seconds"), ["rows.1.seconds", "greater than 0"]),
    ("seconds-infinite", put(float("inf"), "measurements", 0, "seconds", 1), ["measurements.0.seconds.1"]),
    ("no-runs", put([], "measurements", 0, "seconds"), ["measurements.0.seconds"]),
    ("no-interval", put(None, "rows", 0, "seconds_low"), ["interval"]),
    ("no-rows", put([], "rows"), ["no row"]),
    ("rows-a-number", put(3, "rows"), ["rows"]),
    ("triangles-a-float", put(128.5, "rows", 0, "triangles"), ["rows.0.triangles"]),
    ("triangles-zero", put(0, "rows", 0, "triangles"), ["rows.0.triangles"]),
    ("triangles-huge", put(10**40, "rows", 0, "triangles"), ["rows.0.triangles"]),
    ("measured-a-word", put("yes", "rows", 0, "measured"), ["rows.0.measured"]),
    ("unknown-field", put(1, "rows", 0, "colour"), ["rows.0.colour"]),
    ("peak-negative", put(-5, "rows", 0, "peak_bytes"), ["rows.0.peak_bytes"]),
    ("fit-a-word", put("2", "fits", "sdpa", "exponent"), ["fits.sdpa.exponent"]),
    ("fit-of-an-older-rf", lambda document: document["fits"]["sdpa"].pop("seconds_intervals"), ["seconds_intervals"]),
    ("crossing-of-one", put(128, "crossings", "sdpa"), ["crossings.sdpa"]),
    ("interval-of-one", put([1], "crossing_intervals", "sdpa<performer"), ["crossing_intervals"]),
    ("no-psnr", put({}, "quality", 0, "truth"), ["quality.0.truth", "psnr"]),
    ("psnr-nan", put(float("nan"), "quality", 0, "truth", "psnr"), ["quality.0.truth.psnr"]),
    ("scene-outside", put("../../x", "quality", 0, "scene"), ["quality.0.scene"]),
    ("layers-a-list", put([], "layers"), ["layers"]),
    ("no-environment", put({}, "environment"), ["environment.processor"]),
    ("threads-a-word", put("two", "environment", "threads"), ["environment.threads"]),
    ("scene-without-file", put({}, "scene"), ["scene.file"]),
    ("device-null", put(None, "device"), ["device"]),
]


def write_results(folder: Path, change: Change) -> Path:
    path = folder / "results.json"
    invented_results().write(path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_results_to_redraw(refused: Refused, tmp_path: Path, change: Change, words: list[str]) -> None:
    path = write_results(tmp_path, change)
    refused(["bench", "--from", path], [str(path), *words])


def test_results_to_compare(refused: Refused, tmp_path: Path) -> None:
    path = write_results(tmp_path, put("0.1", "measurements", 0, "seconds", 0))
    refused(["bench", "--compare", tmp_path, path], [str(path), "measurements.0.seconds.0"])


OTHER_FILES = {
    "empty": b"",
    "list": b"[]",
    "latin-1": b"\xff{}",
    "deep": b"{" * 100_000,
    "digits": b'{"rows": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("content", OTHER_FILES.values(), ids=OTHER_FILES)
def test_files_that_are_no_results(refused: Refused, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    refused(["bench", "--from", path], [str(path), "results.json"])
