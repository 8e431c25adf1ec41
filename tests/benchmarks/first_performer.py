"""Writes .github/pictures/first-performer.png: `python -m tests.benchmarks.first_performer`.

It shows why images of the first Performer were black: scenes rendered by the path tracer, and by a trained model with
softmax attention, with FAVOR+ as it is often implemented (an epsilon added to its features), with FAVOR+ as implemented
here, with the learned `performer` after fine-tuning, and with near-far attention. The number is the PSNR against
softmax, on clamp(log2(1 + radiance), 0, 1).
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

import rfcli
from rfcli.attention import AttentionLayer, Context, LayerSpec
from rfcli.attention.favor import log_features
from rfcli.attention.orthogonal import orthogonal_gaussian
from rfcli.model import RenderFormer, convert
from tests.benchmarks.side_by_side import write_figure

EPSILON = 1e-4  # as in performer-pytorch
FEATURES = 256


class EpsilonPerformer(AttentionLayer):
    """FAVOR+ that adds an epsilon to its features, after subtracting the largest exponent over all keys."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        generator = torch.Generator().manual_seed(0)
        directions = [orthogonal_gaussian(FEATURES, spec.head_dim, generator) for _ in range(spec.heads)]
        self.register_buffer("directions", torch.stack(directions).mT * spec.head_dim**-0.25)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
        query_exponents, key_exponents = (log_features(self.directions, x) for x in (q, k))
        queries = torch.exp(query_exponents - query_exponents.amax(-1, keepdim=True)) + EPSILON
        keys = torch.exp(key_exponents - key_exponents.amax((-1, -2), keepdim=True)) + EPSILON
        bias = context.key_bias()
        if bias is not None:
            keys = keys * bias.exp()[:, None, :, None]
        return (queries @ (keys.mT @ v)) / (queries @ keys.sum(-2)[..., None])


def with_epsilon(model: RenderFormer) -> RenderFormer:
    """A copy of the model with `EpsilonPerformer` in its view-independent stage."""
    copy = convert(model, "sdpa")
    for attention in copy.transformer.attentions():
        attention.mechanism = EpsilonPerformer(attention.mechanism.spec)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="*", default=["examples/cornell-box.json", "examples/still-life.json"])
    parser.add_argument(
        "--models",
        nargs=2,
        default=["tiny", "tiny-performer"],
        metavar=("SOFTMAX", "TWIN"),
        help="a softmax model and its linear twin",
    )
    parser.add_argument("--keys", type=int, default=128)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--paths", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path(".github/pictures/first-performer.png"))
    arguments = parser.parse_args()

    softmax, twin = map(rfcli.load_model, arguments.models)
    models = {
        "softmax": softmax,
        "FAVOR+ with an\nepsilon, swapped in": with_epsilon(softmax),
        "FAVOR+ of rf,\nswapped in": convert(softmax, "performer", feature_map="favor"),
        "performer of rf,\nfine-tuned": twin,
        f"near-far, {arguments.keys} keys,\nno training": convert(softmax, "nearfar", keys=arguments.keys),
    }
    write_figure(arguments.scenes, models, "softmax", arguments.resolution, arguments.paths, arguments.out)


if __name__ == "__main__":
    main()
