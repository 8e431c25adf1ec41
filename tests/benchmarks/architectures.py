"""Compares small architectures: each trial changes one setting of `tiny` and trains from scratch.

    python -m tests.benchmarks.architectures --data data --minutes 12          # a dataset of rf gen-data

All trials get the same processor time of one thread, and alternate step by step. Each is validated at every quarter of
its time on held-out scenes, and prints one line per validation.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from rfcli.model import PRESETS, RenderFormerConfig
from rfcli.training.initialise import new_model
from tests.benchmarks.equal_seconds import TimedRun, train_alternately, training_data

VALIDATIONS, LEARNING_RATE = 4, 1e-3

TINY = PRESETS["tiny"]
TRIALS: dict[str, tuple[RenderFormerConfig, Literal["muon", "adamw"], float]] = {
    "tiny": (TINY, "muon", LEARNING_RATE),
    "visibility attention": (
        replace(TINY, visibility="attention", channels="together", light="given", direct="network"),
        "muon",
        LEARNING_RATE,
    ),
    "channels together": (replace(TINY, channels="together"), "muon", LEARNING_RATE),
    "light given": (replace(TINY, light="given"), "muon", LEARNING_RATE),
    "AdamW": (TINY, "adamw", LEARNING_RATE),
    "rate 2e-3": (TINY, "muon", 2 * LEARNING_RATE),
    "patches of 4": (replace(TINY, patch_size=4), "muon", LEARNING_RATE),
    "8 view-independent layers": (replace(TINY, num_layers=8), "muon", LEARNING_RATE),
    "6 view-dependent layers": (
        replace(TINY, view_transformer_n_layers=6, dpt_out_layers=(0, 1, 3, 5)),
        "muon",
        LEARNING_RATE,
    ),
    "192 wide, 3 heads": (
        replace(
            TINY,
            latent_dim=192,
            num_heads=3,
            dim_feedforward=576,
            view_transformer_latent_dim=192,
            view_transformer_n_heads=3,
            view_transformer_ffn_hidden_dim=384,
        ),
        "muon",
        LEARNING_RATE,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12.0, help="processor time of each trial")
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = training_data(arguments.data, TINY)
    runs = []
    for name in arguments.only:
        config, optimizer, rate = TRIALS[name]
        runs.append(TimedRun(name, new_model(config, 0), None, data, optimizer, rate))
    train_alternately(runs, 60 * arguments.minutes, VALIDATIONS)


if __name__ == "__main__":
    main()
