"""How `rf train` and `rf finetune` report a run: on the console, as an image grid, and to TensorBoard."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfcli.cli.console import Console
from rfcli.cli.progress import Progress
from rfcli.cli.training_view import TrainingView
from rfcli.errors import InputError
from rfcli.pictures.images import Display, to_display, write_png
from rfcli.pictures.sheets import contact_sheet
from rfcli.training.phases import Phase, phase_ends
from rfcli.training.run import REPORT_EVERY

if TYPE_CHECKING:
    from rfcli.training.validation import ImagePair, Validation

GRID = "grid.png"  # truth and prediction side by side
TENSORBOARD = "tensorboard"  # folder
GRID_COLUMNS = 4  # two pairs of truth and prediction


class ConsoleCallbacks:
    """Shows losses below the progress bar, and prints a line for each validation, warning and new phase."""

    def __init__(self, console: Console, progress: Progress, view: TrainingView, phases: Sequence[Phase] = ()) -> None:
        self.console, self.progress, self.view, self.phases = console, progress, view, phases
        progress.below(view)

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        self.view.add_step(losses)
        self.progress.advance(note=f"loss {losses['loss']:.4f}, {losses['loading']:.1%} waiting for data")
        if step in (ends := phase_ends(self.phases)[:-1]):
            self.console.print(describe_phase(self.phases, ends.index(step) + 1))

    def on_validation(self, step: int, validation: "Validation", images: "Sequence[ImagePair]") -> None:
        self.view.add_validation(validation.psnr)
        self.console.print(
            f"step {step:,}: validation PSNR {validation.psnr:.2f} dB, SSIM {validation.ssim:.3f} "
            f"({validation.psnr_without_attention:.2f} dB without attention between triangles)"
        )

    def on_warning(self, message: str) -> None:
        self.console.warn(message)


class GridCallbacks:
    """Writes `out`/grid.png at each validation."""

    def __init__(self, out: Path) -> None:
        self.path = out / GRID

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        """Does nothing."""

    def on_validation(self, step: int, validation: "Validation", images: "Sequence[ImagePair]") -> None:
        write_png(self.path, image_grid(images))

    def on_warning(self, message: str) -> None:
        """Does nothing."""


class TensorBoardCallbacks:
    """Writes losses, validations and images to `out`/tensorboard; flushed to the disk at every call.

    Args:
        out: Folder of the run.
        done: Steps after which the run resumes. Later points, of a killed session, are removed from the plots.
    """

    def __init__(self, out: Path, done: int) -> None:
        self._writer = summary_writer()(out / TENSORBOARD, purge_step=done + 1)

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        if step % REPORT_EVERY == 0:
            self._write("training", step, losses)

    def on_validation(self, step: int, validation: "Validation", images: "Sequence[ImagePair]") -> None:
        self._writer.add_image("truth, prediction", image_grid(images), step, dataformats="HWC")
        self._write("validation", step, validation.as_dict())

    def on_warning(self, message: str) -> None:
        """Does nothing."""

    def close(self) -> None:
        self._writer.close()

    def _write(self, group: str, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
        self._writer.flush()


def summary_writer() -> Any:
    """TensorBoard's SummaryWriter class. Raises InputError if the package is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("--tensorboard needs TensorBoard; pip install 'rfcli[tensorboard]'.") from None
    return SummaryWriter


def image_grid(images: "Sequence[ImagePair]") -> Display:
    """Truth and prediction of each view side by side, uint8 [H, W, 3]."""
    return contact_sheet([to_display(image) for pair in images for image in pair], GRID_COLUMNS)


def describe_phase(phases: Sequence[Phase], index: int) -> str:
    """The line that is printed when a phase starts."""
    phase = phases[index]
    scenes = f" and scenes of {phase.triangles[0]:,} to {phase.triangles[1]:,} triangles" if phase.triangles else ""
    images = f"images of {phase.resolution} x {phase.resolution} pixels"
    return f"Phase {index + 1} of {len(phases)}: {phase.steps:,} steps on {images}{scenes}."
