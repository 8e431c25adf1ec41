"""`rf finetune`: train a trained model further, or replace its softmax attention by a linear mechanism."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.mechanism_options import NONE_GIVEN, AttentionName, MechanismOptions, with_mechanism_options
from rfcli.cli.options import ConfigFile, Device, Json, Out, Quiet, Seed, Verbose, with_parameters
from rfcli.cli.training_options import DryRun, TensorBoardFiles, training_options, training_parameters
from rfcli.errors import InputError
from rfcli.runtime.processes import is_first
from rfcli.training.options import FinetuneOptions

TRAINED, BUNDLED = Path("runs/train"), "tiny"
MODEL = "Model"  # panel of the help


@with_mechanism_options
@with_parameters("training", training_parameters(FinetuneOptions, without=("overfit",)))
def finetune(
    *,
    performer: Annotated[
        bool, typer.Option("--performer", help="Make attention linear; the same as --attention performer.")
    ] = False,
    attention: AttentionName = None,
    mechanism_options: MechanismOptions = NONE_GIVEN,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Model to start from. (default: runs/train, else tiny)"),
    ] = None,
    out: Out = Path("runs/finetune"),
    layers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            metavar="N",
            rich_help_panel=MODEL,
            help="Add view-independent layers, up to N; at first they do not change the images.",
        ),
    ] = None,
    channels: Annotated[
        Literal["together", "apart"] | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="apart: compute red, green and blue as three scenes. (default: that of the model)",
        ),
    ] = None,
    light: Annotated[
        Literal["given", "relative"] | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="relative: divide emission by the scene's amount of light. (default: that of the model)",
        ),
    ] = None,
    direct: Annotated[
        Literal["traced"] | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="traced: direct light by rays, the network learns the rest. (default: that of the model)",
        ),
    ] = None,
    training: dict[str, Any],
    tensorboard: TensorBoardFiles = False,
    dry_run: DryRun = False,
    device: Device = "auto",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fine-tune a model; with --performer, turn a softmax model into a linear one.

    First, each new attention layer learns to match the softmax layer that it replaces (attention transfer); then the
    whole model is trained on images. Ctrl-C stops the run at any time; the same command resumes it exactly.

    Example: rf finetune --performer --steps 1000
    """
    with Console("finetune", json=json, quiet=quiet or not is_first(), verbose=verbose) as console:
        if performer and attention not in (None, "performer"):
            raise InputError(f"--performer and --attention {attention} contradict each other; give one of them.")
        options = training_options(FinetuneOptions, training, out, seed)
        trained = str(TRAINED) if (TRAINED / "model.safetensors").is_file() else BUNDLED
        origin = trained if start is None else start

        from dataclasses import replace

        from rfcli.attention import find_mechanism
        from rfcli.cli.training_run import train_and_report
        from rfcli.model import convert, load
        from rfcli.model.conversion import deepened, reconfigured, with_traced_light
        from rfcli.runtime.processes import join

        processes = join()
        model = load(origin, device=device)
        before = model.config.attention
        given = "performer" if performer else attention
        name = mechanism_options.implied(before) if given is None else given
        chosen = mechanism_options.of([name]).get(name, {})
        swapped, teacher = name != before, None
        if direct == "traced" and model.config.direct != "traced":
            model = with_traced_light(model)
        if layers is not None:
            if swapped:
                raise InputError("--layers and another attention need a run each: first add layers, then replace it.")
            model = deepened(model, layers)
        if swapped:
            teacher = model
        if swapped or chosen:
            model = convert(model, name, **chosen)
        changes = {"channels": channels or model.config.channels, "light": light or model.config.light}
        model = reconfigured(model, training_resolution=options.resolution, **changes)

        untrained = swapped and find_mechanism(name).needs_training
        if training["transfer"] and not swapped:
            console.warn(f"--transfer has no effect: the attention stays {name}.")
        if untrained and options.freeze == "triangles":
            console.warn(f"--freeze triangles leaves the new attention, {name}, untrained.")
        elif untrained and training["transfer"] is None:
            options = replace(options, transfer=options.steps // 3)
        description = f"{origin}, attention {name}" + (f", {layers} layers" if layers else "")
        description += (f", channels {channels}" if channels else "") + (f", light {light}" if light else "")
        description += f", direct {direct}" if direct else ""
        options = replace(options, start=description)
        console.print(f"Starting from {origin}.")
        train_and_report(console, model, options, processes, teacher, dry_run=dry_run, tensorboard=tensorboard)
