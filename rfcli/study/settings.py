"""The curves of a study: mechanisms, on CUDA also with torch's kernels for softmax apart and in both number formats.

What a study is of: a model and its view-independent stage, mechanisms, triangle counts, a device.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rfcli.attention import names
from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, RenderFormerConfig
from rfcli.model.checkpoint import CONFIG, read_config
from rfcli.model.hub import locate
from rfcli.model.sequence_parallel import mechanisms_over_processes

FP32, BF16 = "fp32", "bf16"
FLASH, PLAIN = "flash", "plain"


@dataclass(frozen=True)
class Variant:
    """name: of the curve. kernel: the only one of torch's that softmax may use, None = torch's own choice.
    precision: of the view-independent stage.
    """

    name: str
    attention: str
    kernel: str | None = None
    precision: str = FP32


def variants(attentions: Sequence[str], device: str) -> list[Variant]:
    """On CUDA each mechanism in both formats; sdpa with the flash kernel, which has no fp32, and with the plain one,
    which holds all N^2 weights, beside the kernel that torch takes by itself for fp32. Elsewhere just the mechanisms.
    """
    found = []
    for name in attentions:
        found.append(Variant(name, name))
        if device != "cuda":
            continue
        if name == "sdpa":
            found += [
                Variant("sdpa-plain", name, PLAIN),
                Variant("sdpa-flash-bf16", name, FLASH, BF16),
                Variant("sdpa-plain-bf16", name, PLAIN, BF16),
            ]
        else:
            found.append(Variant(f"{name}-{BF16}", name, precision=BF16))
    return found


PIXELS = 256  # side of the pictures of whole renders, where the model does not say at what side it is at home


def stage_alone(config: RenderFormerConfig) -> RenderFormerConfig:
    """The config of a model whose parts beside the view-independent stage are as small as can be."""
    return dataclasses.replace(
        config,
        view_transformer_n_layers=1,
        use_dpt_decoder=False,
        visibility="attention",
        light="given",  # relative needs first hits
    )


@dataclass(frozen=True)
class QualitySettings:
    """The pictures of a study: by `model`, a trained one, whose attention is swapped, or by `twins`, checkpoints that
    were trained with the mechanism that they name; of resolution^2 pixels, beside truths of `samples` paths a pixel.
    """

    model: str = "tiny"
    twins: tuple[str, ...] = ()
    resolution: int = 128
    samples: int = 64


@dataclass(frozen=True)
class StudySettings:
    """Two runs with equal settings on one machine measure the same thing.

    model      tiny, base, large, a checkpoint folder or a Hugging Face id; only its architecture matters: time does
               not depend on weights, which are random.
    layers     how many of the stage's layers, which are all alike, are run: a 64k-triangle softmax layer of the base
               model takes minutes on a small CPU. Whole renders have all of them.
    attentions, triangles: the grid of points, each ascending or in the order of the registry.
    device     cpu, cuda or mps.
    options    options of the mechanisms, by the name of the mechanism: {"nearfar": {"keys": 512}}.
    quality    the pictures to be judged; None = time and memory only.
    processes  that share the tokens of every point; then the stage alone is studied.

    Raises InputError for an unknown mechanism or one that several processes cannot share, options of a mechanism
    that is not studied, or
    more layers than the model has.
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
                raise InputError(f"--attention: unknown mechanism '{name}'; choose among {', '.join(names())}.")
            if self.processes > 1 and name not in mechanisms_over_processes():
                raise InputError(
                    f"--attention: {name} reads keys one by one, which several processes cannot share; choose among "
                    f"{', '.join(mechanisms_over_processes())}, or run it without torchrun."
                )
        if self.processes > 1 and self.quality is not None:
            raise InputError("--quality draws in one process; run it without torchrun.")
        for name in self.options:
            if name not in self.attentions:
                raise InputError(f"`options` are given for {name}, which is not among the mechanisms.")
        if not self.attentions or not self.triangles:
            raise InputError("A study needs at least one attention mechanism and one triangle count.")
        if not 1 <= self.layers <= self.architecture().num_layers:
            raise InputError(
                f"--layers {self.layers}: the stage of '{self.model}' has {self.architecture().num_layers} layers; "
                "give no more."
            )

    def architecture(self) -> RenderFormerConfig:
        """The whole model's config."""
        preset = {"large": "swin-large"}.get(self.model, self.model)
        return PRESETS[preset] if preset in PRESETS else read_config(locate(self.model) / CONFIG)

    def variants(self) -> list[Variant]:
        """The curves."""
        return variants(self.attentions, self.device)

    def pixels(self) -> int:
        """The side of the picture of a whole render."""
        config = self.architecture()
        return (config.training_resolution if config.visibility == "attention" else None) or PIXELS

    def parameters(self) -> int:
        """Learned numbers of the whole model."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in RenderFormer(self.architecture()).parameters())

    def whole(self, attention: str) -> RenderFormerConfig:
        """The model's config with this mechanism."""
        config = self.architecture()
        options = dict(config.attention_options) if attention == config.attention else {}
        options |= self.options.get(attention, {})
        return dataclasses.replace(config, attention=attention, attention_options=options)

    def stage(self, attention: str) -> RenderFormerConfig:
        """The config of which only the view-independent stage is run."""
        return stage_alone(dataclasses.replace(self.whole(attention), num_layers=self.layers))
