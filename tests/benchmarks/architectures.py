"""What a small model should be, on two cores: each trial changes one thing of `tiny` and is trained from scratch.

    python -m tests.benchmarks.architectures --data data --minutes 12          # a dataset of rf gen-data

The trials take turns by processor time of one thread, have a schedule of equal seconds each, and are validated at
quarters of it, on scenes that none learns from. Prints a line each time.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from rfcli.model import PRESETS
from rfcli.training.initialise import new_model
from tests.benchmarks.equal_seconds import Side, take_turns, training_data

PARTS, RATE = 4, 1e-3

TINY = PRESETS["tiny"]
TRIALS = {
    "tiny": (TINY, "muon", RATE),
    "visibility attention": (replace(TINY, visibility="attention", channels="together", light="given"), "muon", RATE),
    "channels together": (replace(TINY, channels="together"), "muon", RATE),
    "light given": (replace(TINY, light="given"), "muon", RATE),
    "AdamW": (TINY, "adamw", RATE),
    "rate 2e-3": (TINY, "muon", 2 * RATE),
    "patches of 4": (replace(TINY, patch_size=4), "muon", RATE),
    "8 layers of triangles": (replace(TINY, num_layers=8), "muon", RATE),
    "6 layers of rays": (replace(TINY, view_transformer_n_layers=6, dpt_out_layers=(0, 1, 3, 5)), "muon", RATE),
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
        RATE,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12.0, help="of each trial")
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS))
    told = parser.parse_args()
    torch.set_num_threads(1)
    data = training_data(told.data, TINY)
    sides = []
    for name in told.only:
        config, optimizer, rate = TRIALS[name]
        sides.append(Side(name, new_model(config, 0), None, data, optimizer, rate))
    take_turns(sides, 60 * told.minutes, PARTS)


if __name__ == "__main__":
    main()
