"""Options that `rf train` and `rf finetune` share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rfcli.cli.options import finite

Data = Annotated[Path, typer.Option("--data", "-d", metavar="FOLDER", help="Dataset made by rf gen-data.")]
Resolution = Annotated[
    int | None,
    typer.Option(
        min=8, max=4096, metavar="PIXELS", help="Side of the training images; divides the dataset's. (default: 64)"
    ),
]
Triangles = Annotated[
    str | None, typer.Option(metavar="LOW-HIGH", help="Learn from scenes of this many triangles only. (default: all)")
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, max=10**9, help="Optimiser steps in all. (default: train 8000, by heart 800; finetune 3000)"),
]
Stages = Annotated[
    str | None,
    typer.Option(
        metavar="PIXELS:STEPS,...",
        help="Learn in stages, such as 64:4000:256-1k,128:2000; the third number is of triangles. (default: one stage)",
    ),
]
Batch = Annotated[int, typer.Option(min=1, max=4096, help="Scenes in a step.")]
Views = Annotated[int, typer.Option(min=1, max=1000, help="Cameras of each scene in a step.")]
Rate = Annotated[float, typer.Option(max=100, callback=finite, help="Highest learning rate.")]
Warmup = Annotated[int, typer.Option(min=0, help="Steps until the highest learning rate.")]
Recompute = Annotated[
    bool, typer.Option("--recompute", help="Keep fewer activations: less memory, about a third more time.")
]
Shard = Annotated[
    bool,
    typer.Option(
        "--shard-weights",
        envvar="ACCELERATE_USE_FSDP",
        help="Of several processes, let each hold its share of the model and of its optimiser (FSDP).",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Take a few steps, print parameters, memory and hours expected, write nothing."),
]
Rotations = Annotated[
    Literal["none", "upright", "any"],
    typer.Option(help="Rotate scenes at random: not, about the vertical axis, or in any way. none learns fastest."),
]
Translations = Annotated[
    float,
    typer.Option(
        min=0,
        max=100,
        callback=finite,
        metavar="SIGMA",
        help="Move scenes at random, this far along each axis; 0.25 published.",
    ),
]
ValidateEvery = Annotated[int, typer.Option(min=1, metavar="STEPS", help="Steps between validations and checkpoints.")]
OptimizerName = Annotated[
    Literal["muon", "adamw"], typer.Option("--optimizer", help="Muon for the layers' matrices, or AdamW for all.")
]
Ema = Annotated[
    float, typer.Option(metavar="DECAY", help="Of the moving average of weights that is saved; 0 = the last weights.")
]
LpipsWeights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Backbone of LPIPS, torchvision's vgg16. (default: its cache, else SSIM instead)"
    ),
]
SaveMinutes = Annotated[
    float, typer.Option(min=0, metavar="MINUTES", help="Save the state at least this often, besides at validations.")
]
Keep = Annotated[int, typer.Option(min=1, max=10**6, metavar="K", help="States to keep, the last ones.")]
TensorBoardToo = Annotated[
    bool, typer.Option("--tensorboard", help="Write what TensorBoard shows, too: tensorboard --logdir runs.")
]
