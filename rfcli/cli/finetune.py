"""`rf finetune`: go on from a trained model, and turn its softmax attention into a linear one."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.curriculum import curriculum
from rfcli.cli.mechanism_options import NONE_GIVEN, MechanismOptions, with_mechanism_options
from rfcli.cli.options import (
    ConfigFile,
    Device,
    Json,
    Out,
    Quiet,
    Seed,
    Verbose,
)
from rfcli.cli.training_options import (
    Batch,
    Data,
    DryRun,
    Ema,
    Keep,
    LpipsWeights,
    OptimizerName,
    Rate,
    Recompute,
    Resolution,
    Rotations,
    SaveMinutes,
    Shard,
    Stages,
    Steps,
    TensorBoardToo,
    Translations,
    Triangles,
    ValidateEvery,
    Views,
    Warmup,
)
from rfcli.cli.training_run import newest_state, train_and_report
from rfcli.errors import InputError
from rfcli.runtime.processes import is_first

TRAINED, BUNDLED = Path("runs/train"), "tiny"
USUAL_STEPS = 3000


@with_mechanism_options
def finetune(
    performer: Annotated[
        bool, typer.Option("--performer", help="Make the attention linear: learned features, lights exactly.")
    ] = False,
    attention: Annotated[
        str | None, typer.Option(metavar="NAME", help="Or give the model another attention mechanism.")
    ] = None,
    mechanism_options: MechanismOptions = NONE_GIVEN,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Model to start from. (default: runs/train, else tiny)"),
    ] = None,
    data: Data = Path("data"),
    out: Out = Path("runs/finetune"),
    resolution: Resolution = None,
    triangles: Triangles = None,
    steps: Steps = None,
    stages: Stages = None,
    transfer: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="STEPS",
            help="First steps, in which new attention layers only imitate the old. (default: a third, if new)",
        ),
    ] = None,
    freeze: Annotated[
        Literal["none", "view", "triangles"],
        typer.Option(help="view: train the view-independent stage only; triangles: the view-dependent one only."),
    ] = "none",
    layers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            metavar="N",
            help="Deepen the view-independent stage to N layers; the new ones change nothing at first.",
        ),
    ] = None,
    channels: Annotated[
        Literal["together", "apart"] | None,
        typer.Option(help="apart: red, green and blue each as a scene of its own. (default: as the model has it)"),
    ] = None,
    light: Annotated[
        Literal["given", "relative"] | None,
        typer.Option(help="relative: lights in the scene's own unit of brightness. (default: as the model has it)"),
    ] = None,
    batch: Batch = 4,
    views: Views = 2,
    rate: Rate = 5e-4,
    warmup: Warmup = 50,
    optimizer: OptimizerName = "muon",
    ema: Ema = 0.999,
    lpips_weights: LpipsWeights = None,
    rotations: Rotations = "none",
    translations: Translations = 0.0,
    validate_every: ValidateEvery = 250,
    save_minutes: SaveMinutes = 10.0,
    keep: Keep = 3,
    tensorboard: TensorBoardToo = False,
    recompute: Recompute = False,
    shard: Shard = False,
    dry_run: DryRun = False,
    device: Device = "auto",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fine-tune a model; with --performer, turn a softmax model into its linear twin.

    Each new attention layer first learns to answer as the softmax layer it replaces (attention transfer), then the
    whole model is tuned on images. Stop it with Ctrl-C at any time: the same command goes on where it was.
    """
    with Console("finetune", json=json, quiet=quiet or not is_first(), verbose=verbose) as console:
        if performer and attention not in (None, "performer"):
            raise InputError(f"--performer and --attention {attention} contradict each other; give one of them.")
        length = curriculum(stages, steps, resolution, triangles, USUAL_STEPS)
        wanted = "performer" if performer else attention
        trained = str(TRAINED) if (TRAINED / "model.safetensors").is_file() else BUNDLED
        origin = trained if start is None else start

        from dataclasses import replace

        from rfcli.attention import find_mechanism
        from rfcli.model import convert, load
        from rfcli.model.conversion import deepened
        from rfcli.runtime.processes import join
        from rfcli.training.options import TrainOptions

        processes = join()
        teacher = load(origin, device=device)
        final = teacher.config.attention if wanted is None else wanted
        swapped = final != teacher.config.attention
        chosen = mechanism_options.of([final]).get(final, {})
        model = convert(teacher, final, **chosen) if swapped or chosen else teacher
        if layers is not None:
            if swapped:
                raise InputError("--layers and another attention take a run each: deepen first, then swap.")
            model = deepened(model, layers)
        model.config = replace(
            model.config,
            training_resolution=length["resolution"],
            channels=channels or model.config.channels,
            light=light or model.config.light,
        )
        if transfer is None:
            transfer = length["steps"] // 3 if swapped and find_mechanism(final).needs_training else 0
        options = TrainOptions(
            data=data,
            out=out,
            **length,
            batch=batch,
            views=views,
            rate=rate,
            warmup=warmup,
            optimizer=optimizer,
            transfer=transfer,
            freeze=freeze,
            ema=ema,
            lpips_weights=lpips_weights,
            rotations=rotations,
            translations=translations,
            validate_every=validate_every,
            save_minutes=save_minutes,
            keep=keep,
            recompute=recompute,
            shard=shard,
            seed=seed,
            start=f"{origin}, attention {model.config.attention}"
            + (f", {layers} layers" if layers else "")
            + (f", channels {channels}" if channels else "")
            + (f", light {light}" if light else ""),
        )
        state = None if dry_run else newest_state(out, options)
        console.say(f"Starting from {origin}.")
        train_and_report(console, model, options, state, teacher if swapped else None, dry_run, processes, tensorboard)
