"""What a training run is told."""

from dataclasses import dataclass
from pathlib import Path

from rfcli.errors import InputError
from rfcli.training.stages import Stage, ends

ALL_SCENES, BY_HEART = 8000, 800  # steps; by heart for as many scenes as a batch holds


def usual_steps(overfit: int, batch: int) -> int:
    """Steps of a run from scratch that nobody has said otherwise of: overfit scenes by heart, 0 = from a dataset.

    One scene at 64 x 64 is learned to more than 35 dB in ten minutes of two slow cores, where its edges let it.
    """
    return min(ALL_SCENES, BY_HEART * -(-overfit // batch)) if overfit else ALL_SCENES


@dataclass(frozen=True)
class TrainOptions:
    """Options of one run, shared by training from scratch and fine-tuning.

    data: folder written by `rf gen-data`. out: folder of the run. resolution: side of the training images, pixels.
    triangles: smallest and largest scenes to learn from, by their triangles; None = all.
    stages: a curriculum, whose last stage has the `resolution` of validation, and which has `steps` in all; () = none.
    steps: optimiser steps in all. batch: scenes per step, each seen by `views` of its cameras.
    rate: peak learning rate, reached after `warmup` steps (of each phase, and at most half of it, where there are two).
    optimizer: muon or adamw.
    ema: decay of the moving average of the weights that is validated and saved; 0 = the last weights.
    lpips_weights: file of the backbone of LPIPS; None = torchvision's cache, and without it a structural term.
    transfer: first steps that only teach new attention layers to imitate their softmax teachers.
    rotations: of the augmentation: none, upright (about the vertical axis) or any.
    translations: of the augmentation: standard deviation along each axis; the published runs had 0.25.
    freeze: "view" leaves the view-dependent stage as it is, "triangles" all before it, "none" trains all.
    overfit: learn only so many scenes, as they are, and validate on the same; 0 = the whole dataset.
    validate_every: steps between validations, each of which also writes a checkpoint.
    start: what the run started from: an architecture, or a trained model.
    recompute: spend time on saving memory (activation checkpointing); the result is the same.
    shard: each of several processes holds only its share of weights, gradients, averages and optimiser states; the
    result is the same but for the rounding of sums.
    save_minutes: the state is also saved when this long has passed since it last was. keep: states that are kept.
    """

    data: Path
    out: Path
    resolution: int = 64
    triangles: tuple[int, int] | None = None
    stages: tuple[Stage, ...] = ()
    steps: int = 8000
    batch: int = 4
    views: int = 2
    rate: float = 1e-3
    warmup: int = 100
    optimizer: str = "muon"
    ema: float = 0.999
    lpips_weights: Path | None = None
    transfer: int = 0
    rotations: str = "none"
    translations: float = 0.0
    freeze: str = "none"
    overfit: int = 0
    validate_every: int = 250
    seed: int = 0
    start: str = ""
    recompute: bool = False
    shard: bool = False
    save_minutes: float = 10.0
    keep: int = 3

    def __post_init__(self) -> None:
        for name in ("resolution", "steps", "batch", "views", "validate_every", "keep"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}.")
        if self.rate <= 0:
            raise InputError(f"--rate must be above 0, got {self.rate}.")
        if not 0 <= self.ema < 1:
            raise InputError(f"--ema must be from 0 to below 1, got {self.ema}.")
        if not 0 <= self.warmup < self.steps:
            raise InputError(f"--warmup {self.warmup} must be shorter than the run of {self.steps} steps.")
        if self.freeze == "triangles" and self.transfer:
            raise InputError(
                f"--freeze triangles leaves the attention as it is, which --transfer {self.transfer} is to teach."
            )
        if not 0 <= self.transfer <= self.steps:
            raise InputError(f"--transfer {self.transfer} must lie within the run of {self.steps} steps.")
        if self.stages and (self.steps, self.resolution) != (ends(self.stages)[-1], self.stages[-1].resolution):
            raise InputError("--stages must add up to the steps of the run, and end with its resolution.")
        if self.stages and self.overfit:
            raise InputError("--overfit learns a few scenes as they are; leave out --stages.")
        if self.lpips_weights is not None and not self.lpips_weights.is_file():
            raise InputError(f"--lpips-weights {self.lpips_weights}: there is no such file; give torchvision's vgg16.")

    @property
    def curriculum(self) -> tuple[Stage, ...]:
        """The stages of the run; a run that was told of none has one."""
        return self.stages or (Stage(self.steps, self.resolution, self.triangles),)
