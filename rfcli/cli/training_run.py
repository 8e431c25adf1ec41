"""What `rf train` and `rf finetune` do alike once the model to train is known."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rfcli.cli.console import Console
from rfcli.cli.errors import EXIT_INTERRUPTED
from rfcli.cli.progress import Progress
from rfcli.cli.receipts import model_entry
from rfcli.errors import InputError
from rfcli.runtime.processes import is_first
from rfcli.training.stages import Stage, ends, stage_at

if TYPE_CHECKING:
    from rfcli.cli.training_view import TrainingView
    from rfcli.model import RenderFormer
    from rfcli.runtime.processes import Processes
    from rfcli.training.loop import Watcher
    from rfcli.training.options import TrainOptions
    from rfcli.training.run import Run
    from rfcli.training.state import TrainState
    from rfcli.training.validation import Validation


class ConsoleWatcher:
    """Shows a run's losses below the progress bar, and a line for each validation and each further one of `stages`."""

    def __init__(
        self, console: Console, progress: Progress, view: "TrainingView", stages: Sequence[Stage] = ()
    ) -> None:
        self.console, self.progress, self.view, self.stages = console, progress, view, stages
        progress.below(view)

    def stepped(self, step: int, losses: dict[str, float]) -> None:
        self.view.stepped(losses)
        self.progress.advance(note=f"loss {losses['loss']:.4f}")
        if step in (ended := ends(self.stages)[:-1]):
            self.console.say(_stage_in_words(self.stages, ended.index(step) + 1))

    def validated(self, step: int, validation: "Validation") -> None:
        self.view.validated(validation.psnr)
        self.console.say(
            f"step {step:,}: validation PSNR {validation.psnr:.2f} dB, SSIM {validation.ssim:.3f} "
            f"({validation.psnr_without_attention:.2f} dB with the triangles' attention silenced)"
        )

    def warned(self, sentence: str) -> None:
        self.console.warn(sentence)


class Together:
    """Several watchers, told one after another."""

    def __init__(self, *watchers: "Watcher") -> None:
        self.watchers = watchers

    def stepped(self, step: int, losses: dict[str, float]) -> None:
        for watcher in self.watchers:
            watcher.stepped(step, losses)

    def validated(self, step: int, validation: "Validation") -> None:
        for watcher in self.watchers:
            watcher.validated(step, validation)

    def warned(self, sentence: str) -> None:
        for watcher in self.watchers:
            watcher.warned(sentence)


def train_and_report(
    console: Console,
    model: "RenderFormer",
    options: "TrainOptions",
    state: "TrainState | None",
    teacher: "RenderFormer | None" = None,
    dry_run: bool = False,
    processes: "Processes | None" = None,
    tensorboard: bool = False,
) -> None:
    """Train `model` to the end of `options`, or from `state` on, and leave the receipt; dry_run: only say what that
    would take. processes: those that train together, of which the first leaves it. tensorboard: also write its files.

    Raises KeyboardInterrupt after Ctrl-C, once the state of the run is on disk.
    """
    import numpy as np

    from rfcli.cli.training_view import TrainingView
    from rfcli.dataset.batching import padding_share
    from rfcli.metrics.perceptual import BACKBONE, backbone_on_disk
    from rfcli.runtime.processes import ALONE
    from rfcli.training.checkpoints import BEST
    from rfcli.training.history import HISTORY, read
    from rfcli.training.loop import GRID, fit
    from rfcli.training.run import Run
    from rfcli.training.scenes import read_dataset
    from rfcli.training.tensorboard import FOLDER, TensorBoard, writer

    together = processes or ALONE
    if options.shard and together.count == 1:
        raise InputError(
            "--shard-weights spreads a model over processes; start several, with torchrun or accelerate launch."
        )
    if tensorboard:
        writer()
    done, stages = state.step if state else 0, options.curriculum
    data = read_dataset(options.data, stages, model.config, stage_at(stages, done))
    if options.overfit:
        data = data.overfitting(options.overfit)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    console.say(
        f"{parameters / 1e6:.1f} M parameters, attention {model.config.attention}; {len(data.train)} scenes to learn "
        f"from, {len(data.validation)} held out, {options.resolution} x {options.resolution} pixels."
    )
    if options.stages:
        console.say(_stage_in_words(stages, data.stage))
    padding = padding_share(
        np.array([len(scene.triangles) for scene in data.train]), options.batch * together.count, options.seed
    )
    console.detail(f"{padding:.1%} of the places in batches are padding.")
    for fault in data.skipped:
        console.warn(f"a scene is left out: {fault}")
    if not (options.lpips_weights or backbone_on_disk()):
        console.say(
            f"LPIPS needs torchvision's {BACKBONE}, which is not in its cache (--lpips-weights): SSIM takes its place."
        )
    if dry_run:
        with together.ending_together():
            _foretell(console, Run(model, teacher, data, options, together))
        return
    if is_first():
        console.claim(options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    if state:
        console.say(f"Going on from step {done:,} of {options.steps:,} in {options.out}.")
    with ExitStack() as open_until_the_end:
        open_until_the_end.enter_context(together.ending_together())
        progress = open_until_the_end.enter_context(console.progress("steps", total=options.steps - done, unit="steps"))
        view = TrainingView(options.batch * together.count)
        view.remember(line for line in read(options.out / HISTORY) if line["step"] <= done)
        watchers: list[Watcher] = [ConsoleWatcher(console, progress, view, stages)]
        if tensorboard and together.first:
            watchers.append(open_until_the_end.enter_context(closing(TensorBoard(options.out, done))))
        outcome = fit(model, data, options, Together(*watchers), teacher, state, together)
    if outcome.interrupted:
        raise KeyboardInterrupt if is_first() else typer.Exit(EXIT_INTERRUPTED)
    if not is_first():
        return
    files = ["config.json", "model.safetensors", "README.md", HISTORY, GRID, BEST]
    files += [FOLDER] if tensorboard else []
    console.say(f"Model in {options.out}; truth beside prediction in {options.out / GRID}.")
    console.receipt(
        device=str(next(model.parameters()).device),
        outputs=[options.out / name for name in files],
        model=model_entry(str(options.out), model),
        steps=outcome.steps,
        loss=outcome.losses.get("loss"),
        losses=outcome.losses,
        perceptual=outcome.perceptual,
        validation=outcome.validation,
        stages=stages,
        scenes=len(data.train),
        skipped=len(data.skipped),
        padding=padding,
        loading=outcome.losses.get("loading"),
        resumed_from=done or None,
    )


def _stage_in_words(stages: Sequence[Stage], number: int) -> str:
    stage = stages[number]
    scenes = f" and scenes of {stage.triangles[0]:,} to {stage.triangles[1]:,} triangles" if stage.triangles else ""
    images = f"images of {stage.resolution} x {stage.resolution} pixels"
    return f"Stage {number + 1} of {len(stages)}: {stage.steps:,} steps on {images}{scenes}."


def _foretell(console: Console, run: "Run") -> None:
    """Say what `run` would take, and leave that as the receipt."""
    from rfcli.training.rehearsal import rehearse

    found = rehearse(run)
    if not is_first():
        return
    console.say(
        f"{found.parameters:,} parameters, {found.peak_bytes / 2**30:.1f} GiB of memory; {found.step_seconds:.2f} s a "
        f"step: {run.options.steps:,} steps would take {found.hours:.2g} hours. Nothing was written."
    )
    for stage, seconds in zip(run.options.stages, found.stage_seconds, strict=False):
        console.say(f"{stage.steps:,} steps at {stage.resolution} x {stage.resolution}: {seconds:.2f} s each.")
    console.receipt(device=str(run.device), outputs=[], dry_run=found)


def newest_state(path: Path, options: "TrainOptions") -> "TrainState | None":
    """The state of an earlier run in `path`, where there is one."""
    from rfcli.training.state import read_state

    return read_state(path, options)
