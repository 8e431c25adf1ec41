"""Files of a study; results.json is also tested in tests/study/test_study.py and tests/cli/bad_input."""

from pathlib import Path

from rfcli.study.results import Measurement, QualityRow, Row, read_results
from rfcli.study.results.files import (
    UNFINISHED,
    UnfinishedStudy,
    read_unfinished,
    write_csv,
    write_quality_csv,
    write_unfinished,
)
from tests.support.study_results import invented_results


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = invented_results()
    results.write(tmp_path / "results.json")
    read = read_results(tmp_path / "results.json")
    assert (read.rows, read.renders, read.quality, read.measurements) == (
        results.rows,
        results.renders,
        results.quality,
        results.measurements,
    )
    assert {name: value for name, value in read.setup.items() if value not in (None, 1)} == {
        name: value for name, value in results.setup.items() if value != 1
    }


def test_unfinished_points_are_read_only_for_the_same_setup(tmp_path: Path) -> None:
    path = tmp_path / UNFINISHED
    point = Measurement("a", 1, (1.0, 2.0), None, (0.5, 0.25), (0.1, 0.2))
    picture = QualityRow("heap", 1, "a", "tiny", True, 0.5, {"psnr": 1.0}, None)
    unfinished = UnfinishedStudy([point], [point, point], [picture])
    write_unfinished(path, {"counts": (1, 2)}, unfinished)
    assert read_unfinished(path, {"counts": (1, 2)}) == unfinished
    assert read_unfinished(path, {"counts": (1, 3)}) == UnfinishedStudy()
    path.write_text("{")
    assert read_unfinished(path, {"counts": (1, 2)}) == UnfinishedStudy()
    assert read_unfinished(tmp_path / "absent", {}) == UnfinishedStudy()


def test_unknown_numbers_are_empty_in_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", [Row("a", 1, None, None, None, None, False, 0)])
    header, line = (tmp_path / "x.csv").read_text().splitlines()
    assert header == (
        "attention,triangles,seconds,seconds_low,seconds_high,peak_bytes,measured,runs,operation_seconds,floor_share,"
        "precision"
    )
    assert line == "a,1,,,,,False,0,,,fp32"


def test_scores_are_columns_in_csv(tmp_path: Path) -> None:
    rows = [
        QualityRow("heap", 24, "sdpa", "small", True, 0.5, {"psnr": 20.0}, None),
        QualityRow("heap", 24, "nearfar", "small", True, 0.25, {"psnr": 19.0}, {"psnr": 40.0}),
    ]
    write_quality_csv(tmp_path / "q.csv", rows)
    assert (tmp_path / "q.csv").read_text().splitlines() == [
        "scene,number,triangles,attention,model,trained,seconds,truth_psnr,softmax_psnr",
        "heap,0,24,sdpa,small,True,0.5,20.0,",
        "heap,0,24,nearfar,small,True,0.25,19.0,40.0",
    ]
