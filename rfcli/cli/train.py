"""`rf train`: train a softmax model from scratch."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.options import ConfigFile, Device, Json, Out, Quiet, Seed, Verbose, with_parameters
from rfcli.cli.training_options import DryRun, TensorBoardFiles, training_options, training_parameters
from rfcli.runtime.processes import is_first
from rfcli.training.options import TrainOptions


@with_parameters("training", training_parameters(TrainOptions, without=("transfer", "freeze")))
def train(
    *,
    out: Out = Path("runs/train"),
    model: Annotated[
        Literal["tiny", "small", "base", "swin-large", "v2-small", "v2-base"],
        typer.Option(help="Architecture to train."),
    ] = "tiny",
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
    """Train a RenderFormer, or a RenderFormer-V2 (v2-small, v2-base), on a dataset of rf gen-data.

    Ctrl-C stops the run at any time; the same command resumes it exactly.

    Example: rf train --steps 4000 --batch 8
    """
    with Console("train", json=json, quiet=quiet or not is_first(), verbose=verbose) as console:
        from dataclasses import replace

        options = replace(training_options(TrainOptions, training, out, seed), start=model)

        from rfcli.cli.training_run import train_and_report
        from rfcli.model import PRESETS, pick_device
        from rfcli.runtime.processes import join
        from rfcli.training import new_model

        processes = join()
        architecture = replace(PRESETS[model], training_resolution=options.resolution)
        network = new_model(architecture, seed).to(pick_device(device))
        train_and_report(console, network, options, processes, dry_run=dry_run, tensorboard=tensorboard)
