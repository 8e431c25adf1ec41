"""`rf bench`: measures time, memory and image quality against triangle count; redraws and compares studies."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfcli.cli.console import Console
from rfcli.cli.mechanism_options import ATTENTION_NAMES, NONE_GIVEN, MechanismOptions, with_mechanism_options
from rfcli.cli.options import (
    INPUT,
    AllowOutside,
    ConfigFile,
    Device,
    Json,
    Out,
    Quiet,
    Seed,
    Verbose,
    finite,
    triangle_counts,
)
from rfcli.cli.receipts import study_entries
from rfcli.errors import InputError
from rfcli.runtime.processes import is_first

if TYPE_CHECKING:
    from rfcli.study import Study, StudySettings
    from rfcli.study.scenes import OwnScene

ARCHITECTURES = (
    "tiny",
    "base",
    "large",
    "v2-small",
    "v2-base",
)  # values of --model without weights; the bundled model then renders pictures


@with_mechanism_options
def bench(
    triangles: Annotated[str, typer.Option(metavar="COUNTS", help="Triangle counts: 1k-64k, 4096 or 1k,4k,20k.")] = (
        "1k-64k"
    ),
    attention: Annotated[
        str | None, typer.Option(metavar="NAMES", help=f"Mechanisms: {ATTENTION_NAMES}. (default: all)")
    ] = None,
    mechanism_options: MechanismOptions = NONE_GIVEN,
    model: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="Preset tiny, base, large (swin-large of rf train), v2-small, v2-base; checkpoint folder or HF id.",
        ),
    ] = "base",
    quality: Annotated[
        bool, typer.Option("--quality", help="Also render scenes with each mechanism, and score the pictures.")
    ] = False,
    scene: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Study this scene or mesh, tessellated or decimated; else random triangles."),
    ] = None,
    budget: Annotated[
        float, typer.Option(min=0.5, max=100_000, callback=finite, help="Minutes within which the study ends.")
    ] = 10.0,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="RESULTS.json", help="Measure nothing; redraw the figures of this study."),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A B", help="Measure nothing; show where two studies (folders) differ by more than noise."
        ),
    ] = None,
    out: Out = Path("bench"),
    device: Device = "auto",
    layers: Annotated[
        int,
        typer.Option(
            min=1, rich_help_panel=INPUT, help="Layers of the view-independent stage to run; all take the same time."
        ),
    ] = 1,
    twins: Annotated[
        str | None,
        typer.Option(
            metavar="MODELS",
            rich_help_panel=INPUT,
            help="Fine-tuned models, such as runs/finetune; each renders pictures of its mechanism; adds --quality.",
        ),
    ] = None,
    allow_outside: AllowOutside = False,
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure how time and memory grow with triangles for each attention mechanism.

    Both the view-independent stage and whole renders are measured. Weights and triangles are random: cost depends on
    neither. Points that do not fit into the budget or into memory are extrapolated, drawn hollow and marked
    `measured: false`. An interrupted study resumes from its last point. Pictures are rendered by a trained model, the
    bundled tiny (not the preset) or that of --model, within two fifths of the budget.

    Example: rf bench --triangles 1k-64k --model base
    """
    with Console("bench", json=json, quiet=quiet or not is_first(), verbose=verbose) as console:
        if source is not None and compare is not None:
            raise InputError("--from redraws one study and --compare compares two; give one of the options.")
        if source is not None:
            return _redraw(console, source, out)
        if compare is not None:
            return _compare(console, compare, out)
        counts = triangle_counts("--triangles", triangles)
        from rfcli.attention import mechanisms
        from rfcli.cli.bench_output import live_progress
        from rfcli.model import pick_device
        from rfcli.model.sequence_parallel import mechanisms_over_processes
        from rfcli.runtime.processes import join
        from rfcli.study import QualitySettings, StudySettings, quality_models, run_study
        from rfcli.study.measure import Leader, follow

        processes = join()
        if not processes.first:
            return follow()
        loadable = tuple(mechanism.name for mechanism in mechanisms())
        studied = loadable if processes.count == 1 else mechanisms_over_processes()
        if attention is not None:
            studied = tuple(name.strip() for name in attention.split(","))
        options = mechanism_options.of(studied)
        pictures = None
        if quality or twins is not None:
            trained = () if twins is None else tuple(name.strip() for name in twins.split(","))
            pictures = QualitySettings("tiny" if model in ARCHITECTURES else model, trained)
        own = None
        if scene is not None:
            from rfcli.study.scenes import load_own_scene

            own = load_own_scene(scene, allow_outside)
            counts = _reached_counts(console, own, counts)
        kind = pick_device(device).type
        settings = StudySettings(model, studied, counts, layers, kind, seed, options, pictures, processes.count)
        models = None
        if pictures:  # read before anything is measured, so that a missing model is reported at once
            models = quality_models(pictures.model, pictures.twins, studied, options, settings.device)
        console.lock(out)
        leader = Leader() if processes.count > 1 else None
        with live_progress(console, counts) as callbacks:
            study = run_study(settings, 60 * budget - console.seconds(), out, callbacks, own, models, leader)
        if leader:
            leader.dismiss()
        _print_study(console, settings, study)


def _reached_counts(console: Console, own: "OwnScene", counts: tuple[int, ...]) -> tuple[int, ...]:
    """The triangle counts at which the scene is studied: the requested ones, or the nearest that decimation reaches."""
    reached = own.reached(counts)
    for requested, count in reached.items():
        if count != requested:
            console.print(
                f"{own.name} cannot be decimated to {requested:,} triangles, only to {count:,}, which are studied."
            )
    return tuple(sorted(set(reached.values())))


def _print_study(console: Console, settings: "StudySettings", study: "Study") -> None:
    """Print tables and sentences, and set the receipt."""
    from rfcli.cli.bench_output import crossing_sentences, quality_tables, seconds_tables
    from rfcli.study.results.tables import speedup_sentences

    results = study.results
    for table in (*seconds_tables(results), *quality_tables(results)):
        console.print(table)
    for sentence in (*speedup_sentences(results.rows, results.renders), *crossing_sentences(results)):
        console.print(sentence)
    console.print(f"Figures and numbers are in {study.outputs[0].parent}/")
    model = {"name": settings.model, "attention": list(settings.attentions), "parameters": settings.parameters()}
    console.receipt(
        device=settings.device,
        outputs=list(study.outputs),
        model=model,
        layers=settings.layers,
        crossing_intervals=results.crossing_intervals,
        **study_entries(results),
    )


def _redraw(console: Console, file: Path, out: Path) -> None:
    """Write tables, figures and report of a results.json into `out`."""
    from rfcli.study import read_results
    from rfcli.study.plots import write_outputs
    from rfcli.study.results.files import PICTURES

    results = read_results(file)
    out.mkdir(parents=True, exist_ok=True)
    outputs = write_outputs(results, out, file.parent / PICTURES)
    console.print(f"Redrawn from {file}, in {out}/")
    console.receipt(device=results.setup["device"], outputs=outputs, **study_entries(results))


def _compare(console: Console, studies: tuple[Path, Path], out: Path) -> None:
    """Write compare.png and compare.svg of two studies into `out`, and print a table of their differences."""
    from rfcli.cli.bench_output import differences_table
    from rfcli.study.plots import draw_comparison
    from rfcli.study.results import differences, read_results
    from rfcli.study.results.files import RESULTS

    first, second = (read_results(study / RESULTS if study.is_dir() else study) for study in studies)
    found = differences(first, second)
    out.mkdir(parents=True, exist_ok=True)
    names = (str(studies[0]), str(studies[1]))
    outputs = draw_comparison(out, found, names)
    console.print(differences_table(found, names))
    outside = sum(one.outside_noise for one in found)
    console.print(f"{outside} of {len(found)} differences are outside noise")
    rows = [{**asdict(one), "outside_noise": one.outside_noise} for one in found]
    console.receipt(device=first.setup["device"], outputs=outputs, differences=rows)
