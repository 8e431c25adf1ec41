"""Settings of a study: model, mechanisms, triangle counts, device; and the curves that follow from them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rfcli.attention import SOFTMAX, names
from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormerConfig
from rfcli.model.architectures import build
from rfcli.model.checkpoint import config_path, read_config
from rfcli.model.hub import locate
from rfcli.model.sequence_parallel import mechanisms_over_processes

FP32, BF16 = "fp32", "bf16"
FLASH, PLAIN = "flash", "plain"  # torch's kernels for softmax attention; the plain one stores all N^2 weights
DEFAULT_RESOLUTION = 256  # of whole renders, for models that do not name a training resolution


@dataclass(frozen=True)
class Curve:
    """A line in the figures: a mechanism, with one kernel and number format.

    Attributes:
        name: Name in tables and figures.
        attention: The mechanism.
        kernel: The only kernel that torch may use for softmax attention; None = torch's choice.
        precision: Number format of the view-independent stage.
    """

    name: str
    attention: str
    kernel: str | None = None
    precision: str = FP32


def curves(attentions: Sequence[str], device: str) -> list[Curve]:
    """The curves of these mechanisms on a device.

    On CUDA each mechanism has one for each number format, and softmax has one for each kernel: the flash kernel, which
    does not support fp32, the plain one, and torch's own choice in fp32. On other devices a mechanism has one curve.
    """
    found = []
    for name in attentions:
        found.append(Curve(name, name))
        if device != "cuda":
            continue
        if name == SOFTMAX:
            found += [
                Curve(f"{name}-{PLAIN}", name, PLAIN),
                Curve(f"{name}-{FLASH}-{BF16}", name, FLASH, BF16),
                Curve(f"{name}-{PLAIN}-{BF16}", name, PLAIN, BF16),
            ]
        else:
            found.append(Curve(f"{name}-{BF16}", name, precision=BF16))
    return found


def stage_only(config: RenderFormerConfig) -> RenderFormerConfig:
    """The config with everything after the view-independent stage as small as possible."""
    return dataclasses.replace(
        config,
        view_transformer_n_layers=1,
        use_dpt_decoder=False,
        visibility="attention",
        light="given",  # relative and traced light need first hits
        direct="network",
    )


@dataclass(frozen=True)
class QualitySettings:
    """Settings of the pictures of a study.

    Attributes:
        model: A trained model, whose attention is replaced by each mechanism.
        twins: Models that were fine-tuned with a mechanism; each renders the pictures of its mechanism.
        resolution: Pixels along a side.
        samples: Paths per pixel of the path-traced images.
    """

    model: str = "tiny"
    twins: tuple[str, ...] = ()
    resolution: int = 128
    samples: int = 64


@dataclass(frozen=True)
class StudySettings:
    """Settings of a study. Two studies with equal settings on one machine measure the same.

    Attributes:
        model: tiny, base, large, v2-small, v2-base, a checkpoint folder or a Hugging Face id. Only its architecture
            matters: time does not depend on the weights, which are random.
        attentions: The mechanisms.
        triangles: The triangle counts, ascending.
        layers: Number of layers of the view-independent stage that are run. All take the same time, and a softmax layer
            of the base model takes minutes for 64k triangles on a small CPU. Whole renders run all layers.
        device: cpu, cuda or mps.
        seed: Seed of weights, scenes and the bootstrap.
        options: Options of the mechanisms, by the mechanism's name: {"nearfar": {"keys": 512}}.
        quality: The pictures to be scored; None = time and memory only.
        processes: Number of processes that share the tokens of every point; with more than one, only the
            view-independent stage is studied.

    Raises:
        InputError: A mechanism is unknown or cannot be split over processes, options are given for a mechanism that is
            not studied, or there are more layers than the model has.
    """

    model: str
    attentions: tuple[str, ...]
    triangles: tuple[int, ...]
    layers: int
    device: str
    seed: int
    options: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    quality: QualitySettings | None = None
    processes: int = 1

    def __post_init__(self) -> None:
        for name in self.attentions:
            if name not in names():
                raise InputError(f"`attention`: unknown mechanism '{name}'; choose among {', '.join(names())}.")
            if self.processes > 1 and name not in mechanisms_over_processes():
                raise InputError(
                    f"`attention`: {name} cannot be split over processes; choose among "
                    f"{', '.join(mechanisms_over_processes())}, or run it without torchrun."
                )
        if self.processes > 1 and self.quality is not None:
            raise InputError("`quality` runs in one process; run it without torchrun.")
        for name in self.options:
            if name not in self.attentions:
                raise InputError(f"`options` are given for {name}, which is not among the mechanisms.")
        if not self.attentions or not self.triangles:
            raise InputError("A study needs at least one attention mechanism and one triangle count.")
        if not 1 <= self.layers <= self.architecture().num_layers:
            raise InputError(
                f"`layers` {self.layers}: the view-independent stage of '{self.model}' has "
                f"{self.architecture().num_layers} layers; give no more."
            )

    def architecture(self) -> RenderFormerConfig:
        """The config of the whole model."""
        preset = {"large": "swin-large"}.get(self.model, self.model)
        if preset in PRESETS:
            return PRESETS[preset]
        return read_config(config_path(locate(self.model))).for_materials()

    def curves(self) -> list[Curve]:
        return curves(self.attentions, self.device)

    def resolution(self) -> int:
        """Pixels along a side of whole renders."""
        config = self.architecture()
        return (config.training_resolution if config.visibility == "attention" else None) or DEFAULT_RESOLUTION

    def parameters(self) -> int:
        """Number of parameters of the whole model."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(self.architecture()).parameters())

    def whole_model(self, attention: str) -> RenderFormerConfig:
        """The model's config with this mechanism."""
        config = self.architecture()
        options = dict(config.attention_options) if attention == config.attention else {}
        options |= self.options.get(attention, {})
        return dataclasses.replace(config, attention=attention, attention_options=options)

    def stage(self, attention: str) -> RenderFormerConfig:
        """The config for the view-independent stage alone with this mechanism, with `layers` layers."""
        return stage_only(dataclasses.replace(self.whole_model(attention), num_layers=self.layers))
