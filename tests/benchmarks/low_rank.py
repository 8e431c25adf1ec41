"""Compares fine-tuning by low-rank updates (Hu et al., LoRA, arXiv 2106.09685) with fine-tuning of all weights.

    python -m tests.benchmarks.low_rank --data data          # a dataset of rf gen-data

Quality: the bundled model gets Performer attention and a minute of attention transfer. Then it is fine-tuned on
images: all weights with Muon, as in `rf finetune`, or with AdamW by low-rank updates of every linear map in the layers
of both stages. The runs alternate step by step, get equal processor time of one thread, and are validated at thirds of
it.

Cost: memory per weight at the published sizes, and seconds of one step of the base model.
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
from tests.benchmarks.equal_seconds import RESOLUTION, TimedRun, train_alternately, training_data

VALIDATIONS = 3
LEARNING_RATE, TRANSFER_LEARNING_RATE = 5e-4, 1e-3


class LowRank(nn.Module):
    """x -> base(x) + B A x, with A [R, in] random and B [out, R] initially zero; base is frozen."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, base.in_features) * base.in_features**-0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + (x @ self.a.T) @ self.b.T


def low_rank(model: RenderFormer, rank: int) -> RenderFormer:
    """Replaces every linear map in the layers of both stages, in place, and freezes everything else."""
    model.requires_grad_(False)
    for parent in [*model.transformer.layers.modules(), *model.view_transformer.transformer.layers.modules()]:
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and not isinstance(parent, LowRank):
                setattr(parent, name, LowRank(child, rank))
    return model


def compare_quality(arguments: Any) -> None:
    """Print the PSNR of each way of fine-tuning."""
    teacher = load("tiny", device="cpu")
    data = training_data(arguments.data, teacher.config, arguments.scenes)
    student = convert(teacher, "performer")
    first = TimedRun("transfer", student, teacher, data, "muon", TRANSFER_LEARNING_RATE)
    while first.seconds < 60 * arguments.transfer:
        first.step(first.seconds / (60 * arguments.transfer))
    for name, model in (("softmax", teacher), (f"performer after {first.steps} steps of transfer", student)):
        print(f"{name}: {validate(model, data.validation, RESOLUTION).psnr:.2f} dB", flush=True)
    runs = [TimedRun("all, muon", copy.deepcopy(student).requires_grad_(True), None, data, "muon", LEARNING_RATE)]
    for rank in arguments.rank:
        for rate in arguments.rate:
            torch.manual_seed(0)
            model = low_rank(copy.deepcopy(student), rank)
            runs.append(TimedRun(f"rank {rank}, rate {rate:g}", model, None, data, "adamw", rate))
    train_alternately(runs, 60 * arguments.minutes, VALIDATIONS)


def compare_cost(arguments: Any) -> None:
    """Print memory per weight, and seconds of a step."""
    from tests.benchmarks.training_speed import Trial, random_scenes

    for name in ("base", "swin-large"):
        with torch.device("meta"):
            model = RenderFormer(PRESETS[name])
            all_weights = sum(p.numel() for p in model.parameters())
            low_rank_weights = sum(
                p.numel() for p in low_rank(model, arguments.rank[0]).parameters() if p.requires_grad
            )
        # float32: 4 bytes for each weight; for each trained one a gradient, two moments and an average, 16 more.
        print(
            f"{name}: {all_weights / 1e6:.0f} M weights; {20 * all_weights / 1e9:.2f} GB for all of them with AdamW, "
            f"{(4 * all_weights + 16 * low_rank_weights) / 1e9:.2f} GB at rank {arguments.rank[0]} "
            f"({low_rank_weights / 1e6:.1f} M weights)",
            flush=True,
        )
    trial = Trial(replace(PRESETS["base"]), 1, 1, arguments.triangles, arguments.triangles, RESOLUTION)
    scenes = random_scenes(trial)
    for name in ("all", f"rank {arguments.rank[0]}"):
        model = new_model(trial.config, 0)
        model = low_rank(model, arguments.rank[0]) if name != "all" else model
        run = TimedRun(name, model, None, TrainingData(scenes, scenes), "adamw", LEARNING_RATE)
        run.step(0.5)
        before = run.seconds
        run.step(0.5)
        print(
            f"base, {arguments.triangles:,} triangles, {name}: {run.seconds - before:.1f} s a step with AdamW",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=500, help="training scenes")
    parser.add_argument("--rank", type=int, nargs="+", default=[8])
    parser.add_argument(
        "--rate", type=float, nargs="+", default=[1e-3, 5e-3], help="learning rates of the low-rank updates"
    )
    parser.add_argument("--transfer", type=float, default=1.0, help="minutes of attention transfer")
    parser.add_argument("--minutes", type=float, default=3.0, help="processor time of each run, after the transfer")
    parser.add_argument("--triangles", type=int, default=512, help="triangles of the step of the base model")
    parser.add_argument("--only", choices=("quality", "cost"), help="run one part instead of both")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.only != "cost":
        compare_quality(arguments)
    if arguments.only != "quality":
        compare_cost(arguments)


if __name__ == "__main__":
    main()
