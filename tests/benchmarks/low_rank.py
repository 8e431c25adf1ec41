"""Would `rf finetune --lora R` earn its place? Low-rank updates (Hu et al., LoRA, arXiv 2106.09685) beside tuning all.

    python -m tests.benchmarks.low_rank --data data          # a dataset of rf gen-data

The bundled model is given Performer attention, which first learns to answer as softmax did, in all weights of its
attention; then it is tuned on images, all of it with Muon as `rf finetune` does, and with AdamW by updates of low rank
of every linear map in the layers of both stages. The sides take turns by processor time of one thread, have a schedule
of equal seconds each, and are validated at thirds of it.

Then what either would ask of a machine at the published sizes: bytes of all that is kept per weight, and, of base, the
seconds of one step.
"""

import argparse
import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rfcli.model import PRESETS, RenderFormer, convert, load
from rfcli.training.initialise import new_model
from rfcli.training.scenes import TrainingData
from rfcli.training.validation import validate
from tests.benchmarks.equal_seconds import RESOLUTION, Side, take_turns, training_data

PARTS = 3
FULL_RATE, TRANSFER_RATE = 5e-4, 1e-3


class LowRank(nn.Module):
    """x -> base(x) + B A x, with A [R, in] random and B [out, R] zero at first; base is frozen."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, base.in_features) * base.in_features**-0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + (x @ self.a.T) @ self.b.T


def low_rank(model: RenderFormer, rank: int) -> RenderFormer:
    """The model with every linear map in its layers of both stages so, and all else frozen; in place."""
    model.requires_grad_(False)
    for parent in [*model.transformer.layers.modules(), *model.view_transformer.transformer.layers.modules()]:
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and not isinstance(parent, LowRank):
                setattr(parent, name, LowRank(child, rank))
    return model


def quality(told: Any) -> None:
    teacher = load("tiny", device="cpu")
    data = training_data(told.data, teacher.config, told.scenes)
    student = convert(teacher, "performer")
    first = Side("transfer", student, teacher, data, "muon", TRANSFER_RATE)
    while first.seconds < 60 * told.transfer:
        first.step(first.seconds / (60 * told.transfer))
    for name, model in (("softmax", teacher), (f"performer after {first.steps} steps of transfer", student)):
        print(f"{name}: {validate(model, data.validation, RESOLUTION).psnr:.2f} dB", flush=True)
    sides = [Side("all, muon", copy.deepcopy(student).requires_grad_(True), None, data, "muon", FULL_RATE)]
    for rank in told.rank:
        for rate in told.rate:
            torch.manual_seed(0)
            model = low_rank(copy.deepcopy(student), rank)
            sides.append(Side(f"rank {rank}, rate {rate:g}", model, None, data, "adamw", rate))
    take_turns(sides, 60 * told.minutes, PARTS)


def cost(told: Any) -> None:
    from tests.benchmarks.training_speed import Trial, random_scenes

    for name in ("base", "swin-large"):
        with torch.device("meta"):
            model = RenderFormer(PRESETS[name])
            every = sum(p.numel() for p in model.parameters())
            some = sum(p.numel() for p in low_rank(model, told.rank[0]).parameters() if p.requires_grad)
        # Weights; and of what is trained a gradient, AdamW's two moments and the average.
        print(
            f"{name}: {every / 1e6:.0f} M weights; kept {20 * every / 1e9:.2f} GB tuning all with AdamW, "
            f"{(4 * every + 16 * some) / 1e9:.2f} GB at rank {told.rank[0]} ({some / 1e6:.1f} M weights)",
            flush=True,
        )
    trial = Trial(replace(PRESETS["base"]), 1, 1, told.triangles, told.triangles, RESOLUTION)
    scenes = random_scenes(trial)
    for name in ("all", f"rank {told.rank[0]}"):
        model = new_model(trial.config, 0)
        model = low_rank(model, told.rank[0]) if name != "all" else model
        side = Side(name, model, None, TrainingData(scenes, scenes), "adamw", FULL_RATE)
        side.step(0.5)
        before = side.seconds
        side.step(0.5)
        print(
            f"base, {told.triangles:,} triangles, {name}: {side.seconds - before:.1f} s a step with AdamW", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=500, help="to learn from")
    parser.add_argument("--rank", type=int, nargs="+", default=[8])
    parser.add_argument("--rate", type=float, nargs="+", default=[1e-3, 5e-3], help="of the updates of low rank")
    parser.add_argument("--transfer", type=float, default=1.0, help="minutes of attention transfer")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each side, after that")
    parser.add_argument("--triangles", type=int, default=512, help="of the step of the base model")
    parser.add_argument("--only", choices=("quality", "cost"), help="one part instead of both")
    told = parser.parse_args()
    torch.set_num_threads(1)
    if told.only != "cost":
        quality(told)
    if told.only != "quality":
        cost(told)


if __name__ == "__main__":
    main()
