"""`rf bench`: the study of time, memory and quality against triangle count."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfcli.cli.bench_output import compare as compare_studies
from rfcli.cli.bench_output import redraw
from rfcli.cli.console import Console
from rfcli.cli.mechanism_options import NONE_GIVEN, MechanismOptions, with_mechanism_options
from rfcli.cli.options import ConfigFile, Device, Json, Out, Quiet, Seed, Verbose, finite, triangle_counts
from rfcli.cli.receipts import study_entries
from rfcli.errors import InputError
from rfcli.runtime.processes import is_first

if TYPE_CHECKING:
    from rfcli.study import Study, StudySettings
    from rfcli.study.scenes.series import OwnScene

SIZES = ("tiny", "base", "large")  # what --model knows as architectures


@with_mechanism_options
def bench(
    triangles: Annotated[str, typer.Option(metavar="COUNTS", help="Triangle counts: 1k-64k, 4096 or 1k,4k,20k.")] = (
        "1k-64k"
    ),
    attention: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Mechanisms, such as sdpa,performer. (default: all)")
    ] = None,
    mechanism_options: MechanismOptions = NONE_GIVEN,
    model: Annotated[
        str, typer.Option(metavar="SIZE", help="Architecture: tiny, base, large, a checkpoint folder or a HF id.")
    ] = "base",
    layers: Annotated[int, typer.Option(min=1, help="How many of the stage's layers, all alike, to run.")] = 1,
    quality: Annotated[
        bool, typer.Option("--quality", help="Draw the scenes with each mechanism, too, and judge the pictures.")
    ] = False,
    scene: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Study this scene or mesh, subdivided or decimated, not random triangles."),
    ] = None,
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="Read meshes outside the scene's own folder, too.")
    ] = False,
    twins: Annotated[
        str | None,
        typer.Option(metavar="MODELS", help="For --quality: models trained with a mechanism, such as runs/finetune."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="RESULTS.json", help="Measure nothing; draw this study's results anew."),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="Measure nothing; say where two studies, folders, differ by more than noise."),
    ] = None,
    budget: Annotated[
        float, typer.Option(min=0.5, max=100_000, callback=finite, help="Minutes within which the study ends.")
    ] = 10.0,
    out: Out = Path("bench"),
    device: Device = "auto",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure how time and memory grow with triangles, for each attention mechanism: of the view-independent stage,
    and of whole renders.

    Weights and triangles are random: cost depends on neither. Points that do not fit into the budget or into memory
    are extrapolated, drawn hollow and marked `measured: false`. A study that was stopped goes on from its last point.
    Pictures are drawn by a trained model, the bundled one or that of --model, within two fifths of the budget.

    Example: rf bench --triangles 1k-64k --model base
    """
    with Console("bench", json=json, quiet=quiet or not is_first(), verbose=verbose) as console:
        if source is not None and compare is not None:
            raise InputError("--from draws one study and --compare two; give one of the options.")
        if source is not None:
            return redraw(console, source, out)
        if compare is not None:
            return compare_studies(console, compare, out)
        counts = triangle_counts("--triangles", triangles)
        from rfcli.attention import names
        from rfcli.cli.bench_output import live
        from rfcli.model import pick_device
        from rfcli.model.sequence_parallel import mechanisms_over_processes
        from rfcli.runtime.processes import join
        from rfcli.study import QualitySettings, StudySettings, run_study
        from rfcli.study.measure.distributed_point import Leader, follow
        from rfcli.study.quality import quality_models

        processes = join()
        if not processes.first:
            return follow()
        every = names() if processes.count == 1 else mechanisms_over_processes()
        chosen = every if attention is None else tuple(name.strip() for name in attention.split(","))
        if twins is not None and not quality:
            raise InputError(f"--twins {twins} draws pictures; add --quality.")
        options = mechanism_options.of(chosen)
        trained = () if twins is None else tuple(name.strip() for name in twins.split(","))
        drawing = QualitySettings("tiny" if model in SIZES else model, trained) if quality else None
        own = None
        if scene is not None:
            from rfcli.study.scenes.series import own_scene

            own = own_scene(scene, allow_outside)
            counts = _reached(console, own, counts)
        where = pick_device(device).type
        settings = StudySettings(model, chosen, counts, layers, where, seed, options, drawing, processes.count)
        models = None
        if drawing:  # before anything is measured: a model that cannot be read is told at once
            models = quality_models(drawing.model, trained, chosen, options, settings.device)
        console.claim(out)
        leader = Leader() if processes.count > 1 else None
        with live(console, counts) as watch:
            study = run_study(settings, 60 * budget - console.seconds(), out, watch, own, models, leader)
        if leader:
            leader.dismiss()
        _tell(console, settings, study)


def _reached(console: Console, own: "OwnScene", counts: tuple[int, ...]) -> tuple[int, ...]:
    """The counts that the scene can be brought to, which are those asked for wherever that is possible."""
    reached = own.reached(counts)
    for asked, count in reached.items():
        if count != asked:
            console.say(f"{own.name} cannot be decimated to {asked:,} triangles, only to {count:,}, which are studied.")
    return tuple(sorted(set(reached.values())))


def _tell(console: Console, settings: "StudySettings", study: "Study") -> None:
    """Tables and sentences for people, and the receipt."""
    from rfcli.cli.bench_output import crossing_sentences, quality_tables, seconds_tables
    from rfcli.study.results.tables import speedup_sentences

    results = study.results
    for table in (*seconds_tables(results), *quality_tables(results)):
        console.say(table)
    for sentence in (*speedup_sentences(results.rows, results.renders), *crossing_sentences(results)):
        console.say(sentence)
    console.say(f"Figures and numbers are in {study.outputs[0].parent}/")
    used = {"name": settings.model, "attention": list(settings.attentions), "parameters": settings.parameters()}
    console.receipt(
        device=settings.device,
        outputs=list(study.outputs),
        model=used,
        layers=settings.layers,
        crossing_intervals=results.crossing_intervals,
        **study_entries(results),
    )
