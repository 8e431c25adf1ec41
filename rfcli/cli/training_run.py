"""The part that `rf train` and `rf finetune` share: train a given model, show the progress, print the receipt."""

from contextlib import ExitStack, closing
from dataclasses import replace

import typer

from rfcli.cli.console import Console
from rfcli.cli.errors import EXIT_INTERRUPTED
from rfcli.cli.receipts import model_entry
from rfcli.cli.training_callbacks import (
    GRID,
    TENSORBOARD,
    ConsoleCallbacks,
    GridCallbacks,
    TensorBoardCallbacks,
    describe_phase,
    summary_writer,
)
from rfcli.cli.training_view import TrainingView
from rfcli.dataset.batching import padding_share
from rfcli.metrics.perceptual import BACKBONE, backbone_on_disk
from rfcli.model import RenderFormer
from rfcli.runtime.processes import Processes
from rfcli.training.callbacks import CallbackList, TrainingCallbacks
from rfcli.training.dry_run import estimate
from rfcli.training.loader import worker_count
from rfcli.training.loop import fit
from rfcli.training.options import TrainOptions
from rfcli.training.phases import phase_at
from rfcli.training.run import Run
from rfcli.training.run_folder import BEST, HISTORY, read_history
from rfcli.training.scenes import TrainingData, read_dataset
from rfcli.training.state import read_state


def train_and_report(
    console: Console,
    model: RenderFormer,
    options: TrainOptions,
    processes: Processes,
    teacher: RenderFormer | None = None,
    dry_run: bool = False,
    tensorboard: bool = False,
) -> None:
    """Train a model from the first step, or from the last state in the folder of the run, and print the receipt.

    Args:
        console: Console of the command.
        model: The model, on its device.
        options: Options of the run.
        processes: The processes that train together; only the first prints.
        teacher: Softmax model for attention transfer.
        dry_run: Only print the time and memory that the run would take.
        tensorboard: Also write files for TensorBoard.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the state of the run is saved.
    """
    if options.shard and processes.count == 1:
        console.warn("--shard-weights has no effect in a single process; start several with torchrun or accelerate.")
        options = replace(options, shard=False)
    if tensorboard:
        summary_writer()
    state = None if dry_run else read_state(options.out, options)
    done, phases = state.step if state else 0, options.curriculum
    phase = phase_at(phases, done)
    data = read_dataset(options.data, phases, model.config)
    if options.overfit:
        data = data.overfitting(options.overfit)
    padding = padding_share(data.sizes(phase), options.batch * processes.count, options.seed)
    _describe(console, model, options, data, phase, padding)
    if dry_run:
        with processes.peer_errors():
            _print_estimate(console, Run(model, teacher, data, options, processes))
        return
    if processes.first:
        console.lock(options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    if state:
        console.print(f"Resuming from step {done:,} of {options.steps:,} in {options.out}.")
    with ExitStack() as stack:
        stack.enter_context(processes.peer_errors())
        progress = stack.enter_context(console.progress("steps", total=options.steps - done, unit="steps"))
        view = TrainingView(options.batch * processes.count)
        view.add_history(line for line in read_history(options.out / HISTORY) if line["step"] <= done)
        callbacks: list[TrainingCallbacks] = [ConsoleCallbacks(console, progress, view, phases)]
        callbacks.append(GridCallbacks(options.out))
        if tensorboard and processes.first:
            callbacks.append(stack.enter_context(closing(TensorBoardCallbacks(options.out, done))))
        outcome = fit(model, data, options, CallbackList(*callbacks), teacher, state, processes)
    if outcome.interrupted:
        raise KeyboardInterrupt if processes.first else typer.Exit(EXIT_INTERRUPTED)
    if not processes.first:
        return
    files = ["config.json", "model.safetensors", "README.md", HISTORY, GRID, BEST]
    files += [TENSORBOARD] if tensorboard else []
    console.print(f"Model in {options.out}; truth and prediction side by side in {options.out / GRID}.")
    console.receipt(
        device=str(next(model.parameters()).device),
        outputs=[options.out / name for name in files],
        model=model_entry(str(options.out), model),
        steps=outcome.steps,
        loss=outcome.losses.get("loss"),
        losses=outcome.losses,
        perceptual=outcome.perceptual,
        validation=outcome.validation,
        phases=phases,
        scenes=len(data.scenes(phase_at(phases, outcome.steps - 1))),
        skipped=len(data.skipped),
        padding=padding,
        loading=outcome.losses.get("loading"),
        resumed_from=done or None,
    )


def _describe(
    console: Console, model: RenderFormer, options: TrainOptions, data: TrainingData, phase: int, padding: float
) -> None:
    """Print the model, the data and the padding. phase: of the first step. padding: share of padding in the batches."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    scenes = len(data.scenes(phase))
    console.print(
        f"{parameters / 1e6:.1f} M parameters, attention {model.config.attention}; {scenes} scenes to train on, "
        f"{len(data.validation)} held out, {options.resolution} x {options.resolution} pixels."
    )
    if options.phases:
        console.print(describe_phase(options.phases, phase))
    console.detail(f"{padding:.1%} of the triangles in batches are padding.")
    for fault in data.skipped.values():
        console.warn(f"a scene is skipped: {fault}")
    if not (options.lpips_weights or backbone_on_disk()):
        console.print(
            f"The LPIPS loss needs torchvision's {BACKBONE}, which is not in its cache (--lpips-weights); SSIM "
            "replaces it."
        )


def _print_estimate(console: Console, run: Run) -> None:
    found = estimate(run, worker_count(run.options.workers, run.data, run.device, console.warn))
    if not run.processes.first:
        return
    console.print(
        f"{found.parameters:,} parameters, {found.peak_bytes / 2**30:.1f} GiB of memory; {found.step_seconds:.2f} s a "
        f"step: {run.options.steps:,} steps would take {found.hours:.2g} hours. Nothing was written."
    )
    for phase, seconds, making, waiting in zip(
        run.options.curriculum, found.phase_seconds, found.batch_seconds, found.waiting, strict=True
    ):
        if run.options.phases:
            console.print(f"{phase.steps:,} steps at {phase.resolution} x {phase.resolution}: {seconds:.2f} s each.")
        console.print(
            f"A batch takes one process {making:.2g} s to make; with {found.workers} worker processes "
            f"{waiting:.0%} of a step would be waiting for data."
        )
    if found.workers:
        console.print(f"The worker processes take {found.worker_bytes / 2**30:.1f} GiB of memory beside that.")
    console.receipt(device=str(run.device), outputs=[], dry_run=found)
