"""`rf train`: a softmax model from scratch."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.curriculum import curriculum
from rfcli.cli.options import ConfigFile, Device, Json, Out, Quiet, Seed, Verbose
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
from rfcli.runtime.processes import is_first


def train(
    data: Data = Path("data"),
    out: Out = Path("runs/train"),
    model: Annotated[
        Literal["tiny", "small", "base", "swin-large"], typer.Option(help="Architecture to train.")
    ] = "tiny",
    resolution: Resolution = None,
    triangles: Triangles = None,
    steps: Steps = None,
    stages: Stages = None,
    batch: Batch = 4,
    views: Views = 2,
    rate: Rate = 1e-3,
    warmup: Warmup = 100,
    optimizer: OptimizerName = "muon",
    ema: Ema = 0.999,
    lpips_weights: LpipsWeights = None,
    rotations: Rotations = "none",
    translations: Translations = 0.0,
    overfit: Annotated[
        int,
        typer.Option(
            min=0, max=10**6, metavar="N", help="For debugging: learn N scenes by heart. (default: all scenes, 0)"
        ),
    ] = 0,
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
    """Train a RenderFormer on a dataset of rf gen-data.

    Stop it with Ctrl-C at any time: the same command goes on exactly where it was.
    """
    with Console("train", json=json, quiet=quiet or not is_first(), verbose=verbose) as console:
        from dataclasses import replace

        from rfcli.model import PRESETS, pick_device
        from rfcli.runtime.processes import join
        from rfcli.training.initialise import new_model
        from rfcli.training.options import TrainOptions, usual_steps

        processes = join()
        length = curriculum(stages, steps, resolution, triangles, usual_steps(overfit, batch))
        options = TrainOptions(
            data=data,
            out=out,
            **length,
            batch=batch,
            views=views,
            rate=rate,
            warmup=warmup,
            optimizer=optimizer,
            ema=ema,
            lpips_weights=lpips_weights,
            rotations=rotations,
            translations=translations,
            overfit=overfit,
            validate_every=validate_every,
            save_minutes=save_minutes,
            keep=keep,
            recompute=recompute,
            shard=shard,
            seed=seed,
            start=model,
        )
        state = None if dry_run else newest_state(out, options)
        architecture = replace(PRESETS[model], training_resolution=options.resolution)
        fresh = new_model(architecture, seed).to(pick_device(device))
        train_and_report(console, fresh, options, state, None, dry_run, processes, tensorboard)
