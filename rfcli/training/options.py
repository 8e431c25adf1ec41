"""Training options, defined once: the command line makes the options of `rf train` and `rf finetune` from the fields.

Importing this module does not import torch.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from rfcli.errors import InputError
from rfcli.training.phases import Phase, phase_ends

MAX_STEPS = 10**9
OVERFIT_STEPS = 800  # per batch of scenes: one scene of 64 x 64 pixels reaches 35 dB in ten minutes on two slow cores

# Panels of the help. Options without a panel are the most important ones and are shown first.
CURRICULUM = "Curriculum"
OPTIMISATION = "Optimisation"
AUGMENTATION = "Augmentation"
SAVING = "Validation and saving"
RESOURCES = "Memory and processes"


def option(
    default: Any,
    help: str,
    *,
    fallback: Any = None,
    default_text: str | None = None,
    panel: str | None = None,
    flags: tuple[str, ...] = (),
    metavar: str | None = None,
    min: float | None = None,
    max: float | None = None,
    envvar: str | None = None,
) -> Any:
    """A field that is an option on the command line.

    Args:
        default: Its default; None = the value follows from other options, see `TrainOptions.__post_init__`.
        help: Help text.
        fallback: Value in place of None, unless it follows from other options.
        default_text: The default as shown in the help, if it is not `default` or `fallback`.
        panel: Panel of the help that shows the option; None = the first one.
        flags: Names on the command line; () = the name of the field.
        metavar: The value as shown in the help.
        min: Smallest value allowed; None = no limit.
        max: Largest value allowed; None = no limit.
        envvar: Environment variable that the default is read from.
    """
    shown = default_text if default_text is not None or fallback is None else str(fallback)
    metadata = {"help": help, "fallback": fallback, "default_text": shown, "panel": panel, "flags": flags}
    return field(default=default, metadata={**metadata, "metavar": metavar, "min": min, "max": max, "envvar": envvar})


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a training run, by default one from scratch. Options of the command line are documented by their help.

    Options that are not given never contradict those that are: they are chosen to fit. Two given options can contradict
    each other.

    Attributes:
        out: Folder of the run: model, best model, training states, history.
        seed: Seed of all random numbers.
        start: Description of the initial weights: an architecture, or a trained model and how it was changed.

    Raises:
        InputError: A value is out of range, or given options contradict each other.
    """

    out: Path
    seed: int = 0
    start: str = ""
    data: str | Path = option(  # noqa: RUF009
        "data",
        "Dataset of rf gen-data: a folder, or a URL such as s3://bucket/data or hf://datasets/user/data.",
        flags=("--data", "-d"),
        metavar="FOLDER",
    )
    steps: int = option(None, "Number of optimiser steps.", fallback=8000, metavar="N", min=1, max=MAX_STEPS)
    resolution: int = option(
        None,
        "Side of the training images; must divide the resolution of the dataset.",
        fallback=64,
        metavar="PIXELS",
        min=8,
        max=4096,
    )
    batch: int = option(4, "Scenes per step.", metavar="N", min=1, max=4096)
    rate: float = option(1e-3, "Highest learning rate.", metavar="RATE", max=100)
    triangles: tuple[int, int] | None = option(
        None,
        "Train only on scenes with this number of triangles.",
        default_text="all scenes",
        panel=CURRICULUM,
        metavar="LOW-HIGH",
    )
    phases: tuple[Phase, ...] = option(
        (),
        "Train in phases, such as 64:4000:256-1k,128:2000; each has a resolution, a number of steps and, if given, "
        "the number of triangles of its scenes.",
        default_text="one phase",
        panel=CURRICULUM,
        flags=("--phases", "--stages"),
        metavar="PIXELS:STEPS,...",
    )
    overfit: int = option(
        0,
        f"For debugging: overfit the first N scenes, by default in {OVERFIT_STEPS} steps per batch. 0 = train on all.",
        panel=CURRICULUM,
        metavar="N",
        min=0,
        max=10**6,
    )
    views: int = option(
        2, "Views per scene and step; all of a scene that has fewer.", panel=OPTIMISATION, metavar="N", min=1, max=1000
    )
    warmup: int = option(
        None,
        "Steps of linear warm-up of the learning rate, at most half of the run.",
        fallback=100,
        panel=OPTIMISATION,
        metavar="STEPS",
        min=0,
    )
    optimizer: Literal["muon", "adamw"] = option(
        "muon",
        "muon: Muon for the matrices of the layers, AdamW for the rest. adamw: AdamW for all.",
        panel=OPTIMISATION,
    )
    ema: float = option(
        0.999,
        "Decay of the moving average of the weights, which is validated and saved; 0 = no averaging.",
        panel=OPTIMISATION,
        metavar="DECAY",
    )
    lpips_weights: Path | None = option(  # noqa: RUF009
        None,
        "File with torchvision's VGG-16, for the LPIPS loss.",
        default_text="the file in torchvision's cache; if there is none, SSIM replaces LPIPS",
        panel=OPTIMISATION,
        metavar="FILE",
    )
    transfer: int = option(
        None,
        "First steps, in which the new attention layers learn to match the output of those that they replace.",
        fallback=0,
        default_text="a third of all steps if the new attention needs training, else 0",
        panel=OPTIMISATION,
        metavar="STEPS",
        min=0,
        max=MAX_STEPS,
    )
    freeze: Literal["none", "view", "triangles"] = option(
        "none",
        "view: train only the view-independent stage. triangles: train only the view-dependent stage. none: train all.",
        panel=OPTIMISATION,
    )
    rotations: Literal["none", "upright", "any"] = option(
        "none",
        "Rotate scenes at random. upright: about the vertical axis. any: about all axes. none trains fastest.",
        panel=AUGMENTATION,
    )
    translations: float = option(
        0.0,
        "Standard deviation of random translations along each axis; the published models used 0.25.",
        panel=AUGMENTATION,
        metavar="SIGMA",
        min=0,
        max=100,
    )
    validate_every: int = option(
        250, "Steps from one validation and checkpoint to the next.", panel=SAVING, metavar="STEPS", min=1
    )
    save_minutes: float = option(
        10.0, "Save the training state at least this often.", panel=SAVING, metavar="MINUTES", min=0
    )
    keep: int = option(3, "Number of training states to keep.", panel=SAVING, metavar="N", min=1, max=10**6)
    workers: int | None = option(
        None,
        "Processes that read and prepare scenes ahead; 0 = none. Any number gives the same result.",
        default_text="auto: 1, or up to 8 with a GPU",
        panel=RESOURCES,
        metavar="auto|N",
        min=0,
        max=256,
    )
    recompute: bool = option(
        False,
        "Recompute activations in the backward pass: less memory, about a third more time, the same result.",
        panel=RESOURCES,
    )
    shard: bool = option(
        False,
        "Distribute weights, gradients and optimiser state over the processes (FSDP).",
        panel=RESOURCES,
        flags=("--shard-weights",),
        envvar="ACCELERATE_USE_FSDP",
    )

    def __post_init__(self) -> None:
        self._check_values()
        self._check_contradictions()
        for name, value in self._defaults().items():
            object.__setattr__(self, name, value)

    @property
    def curriculum(self) -> tuple[Phase, ...]:
        """The phases of the run: one of all steps if none were given."""
        return self.phases or (Phase(self.steps, self.resolution, self.triangles),)

    def _check_values(self) -> None:
        """Each value by itself; None is allowed where it stands for a default."""
        types = get_type_hints(type(self))
        for spec in fields(self):
            name, value = spec.name, getattr(self, spec.name)
            choices = [choice for choice in get_args(types[name]) if isinstance(choice, str)]
            lowest, highest = spec.metadata.get("min"), spec.metadata.get("max")
            if isinstance(value, str) and choices and value not in choices:
                raise InputError(f"`{name}` '{value}' is not known; use one of: {', '.join(choices)}.")
            if value is not None and lowest is not None and not value >= lowest:
                raise InputError(f"`{name}` must be at least {lowest}, got {value}.")
            if value is not None and highest is not None and not value <= highest:
                raise InputError(f"`{name}` must be at most {highest}, got {value}.")
        if self.rate <= 0:
            raise InputError(f"`rate` must be above 0, got {self.rate}.")
        if not 0 <= self.ema < 1:
            raise InputError(f"`ema` must be from 0 to below 1, got {self.ema}.")
        if self.lpips_weights is not None and not self.lpips_weights.is_file():
            raise InputError(f"`lpips_weights` {self.lpips_weights}: there is no such file; give torchvision's vgg16.")

    def _check_contradictions(self) -> None:
        """Given options against each other."""
        steps = self.steps
        if self.phases:
            if self.overfit:
                raise InputError("`overfit` trains on a few scenes only; leave out `phases`.")
            steps, resolution = phase_ends(self.phases)[-1], self.phases[-1].resolution
            for name, value in (("steps", steps), ("resolution", resolution)):
                if getattr(self, name) not in (None, value):
                    raise InputError(f"`phases` has the steps and the resolution of each phase; leave out `{name}`.")
        if steps is not None and self.warmup is not None and not self.warmup < steps:
            raise InputError(f"`warmup` {self.warmup} must be shorter than the run of {steps} steps.")
        if steps is not None and self.transfer is not None and self.transfer > steps:
            raise InputError(f"`transfer` {self.transfer} must not be longer than the run of {steps} steps.")
        if self.freeze == "triangles" and self.transfer:
            raise InputError(
                f"`freeze` triangles keeps the attention layers unchanged, which `transfer` {self.transfer} trains."
            )

    def _defaults(self) -> dict[str, int]:
        """Values of the options that were not given, and of a warm-up that is longer than the default run."""
        fallback: dict[str, Any] = {spec.name: spec.metadata.get("fallback") for spec in fields(self)}
        steps, resolution = self.steps, self.resolution
        transfer = fallback["transfer"] if self.transfer is None else self.transfer
        if self.phases:
            steps, resolution = phase_ends(self.phases)[-1], self.phases[-1].resolution
        if resolution is None:
            resolution = fallback["resolution"]
        if steps is None:
            steps = fallback["steps"]
            if self.overfit:
                steps = min(steps, OVERFIT_STEPS * -(-self.overfit // self.batch))
            steps = max(steps, transfer)
        warmup = self.warmup
        if warmup is None:
            warmup = min(fallback["warmup"], steps // 2)
        elif warmup >= steps:
            warmup = steps // 2
        return {"steps": steps, "resolution": resolution, "transfer": transfer, "warmup": warmup}


def _changed(name: str, **changes: Any) -> Any:
    """An option of `TrainOptions` with another default or fallback."""
    spec = TrainOptions.__dataclass_fields__[name]
    if "fallback" in changes:
        changes["default_text"] = str(changes["fallback"])
    default = changes.pop("default", spec.default)
    return field(default=default, metadata={**spec.metadata, **changes})


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(TrainOptions):
    """Options of a fine-tuning run: fewer steps at a lower learning rate."""

    steps: int = _changed("steps", fallback=3000)
    rate: float = _changed("rate", default=5e-4)
    warmup: int = _changed("warmup", fallback=50)
