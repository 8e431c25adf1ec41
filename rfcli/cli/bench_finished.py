"""What `rf bench` does with studies that are over: draw one anew, set two beside each other."""

from dataclasses import asdict
from pathlib import Path

from rfcli.cli.console import Console
from rfcli.cli.receipts import study_entries


def redraw(console: Console, file: Path, out: Path) -> None:
    """Tables, figures and page of a results.json, into `out`; nothing is measured."""
    from rfcli.study.files import read_results
    from rfcli.study.reports import pictures_beside, write_reports

    results = read_results(file)
    out.mkdir(parents=True, exist_ok=True)
    outputs = write_reports(results, out, pictures_beside(file))
    console.say(f"Drawn anew from {file}, in {out}/")
    console.receipt(device=results.setup["device"], outputs=outputs, **study_entries(results))


def compare(console: Console, studies: tuple[Path, Path], out: Path) -> None:
    """compare.png and compare.svg of two studies, into `out`, and a table of their differences."""
    from rich.table import Table

    from rfcli.study.comparison import differences
    from rfcli.study.comparison_figure import draw_comparison
    from rfcli.study.files import RESULTS, read_results

    first, second = (read_results(study / RESULTS if study.is_dir() else study) for study in studies)
    found = differences(first, second)
    out.mkdir(parents=True, exist_ok=True)
    names = (str(studies[0]), str(studies[1]))
    outputs = draw_comparison(out, found, names)
    table = Table(title=f"seconds: {names[0]} and {names[1]}", title_justify="left", box=None)
    for heading in ("attention", "triangles", "first", "second", "ratio (95 % interval)", "difference"):
        table.add_column(heading, justify="left" if heading == "attention" else "right")
    for one in found:
        ratio = f"{one.ratio:.3f} ({one.low:.3f}-{one.high:.3f})"
        verdict = "outside noise" if one.outside_noise else "within noise"
        table.add_row(one.attention, f"{one.triangles:,}", f"{one.first:.3g}", f"{one.second:.3g}", ratio, verdict)
    console.say(table)
    outside = sum(one.outside_noise for one in found)
    console.say(f"{outside} of {len(found)} differences are outside noise")
    rows = [{**asdict(one), "outside_noise": one.outside_noise} for one in found]
    console.receipt(device=first.setup["device"], outputs=outputs, differences=rows)
