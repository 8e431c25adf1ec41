"""Why the first Performer went black, as a figure: `python -m tests.benchmarks.first_performer`.

The same trained model and scenes, by path tracing, with softmax attention, with FAVOR+ as it is often written (a small
epsilon added to its features), with FAVOR+ as it is here, with its learned kin after fine-tuning, and with near-far
attention. The number is PSNR against softmax, on clamp(log2(1 + radiance), 0, 1).
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

import rfcli
from rfcli.attention import Context
from rfcli.attention.orthogonal import orthogonal_gaussian
from rfcli.attention.performer import softmax_exponents
from rfcli.model import RenderFormer, convert
from tests.benchmarks.side_by_side import draw

EPSILON = 1e-4  # of a widely used implementation
FEATURES = 256


class DrownedPerformer(nn.Module):
    """FAVOR+ whose features get an epsilon, after the largest exponent of all keys was taken off them."""

    def __init__(self, heads: int, head_dim: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        drawn = [orthogonal_gaussian(FEATURES, head_dim, generator) for _ in range(heads)]
        self.register_buffer("directions", torch.stack(drawn).mT * head_dim**-0.25)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
        of_queries, of_keys = (softmax_exponents(self.directions, x) for x in (q, k))
        queries = torch.exp(of_queries - of_queries.amax(-1, keepdim=True)) + EPSILON
        keys = torch.exp(of_keys - of_keys.amax((-1, -2), keepdim=True)) + EPSILON
        bias = context.key_bias()
        if bias is not None:
            keys = keys * bias.exp()[:, None, :, None]
        return (queries @ (keys.mT @ v)) / (queries @ keys.sum(-2)[..., None])


def drowned(model: RenderFormer) -> RenderFormer:
    """A copy of the model with that attention in its view-independent stage."""
    copy = convert(model, "sdpa")
    for attention in copy.transformer.attentions():
        attention.mechanism = DrownedPerformer(model.config.num_heads, model.config.head_dim)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="*", default=["examples/cornell-box.json", "examples/still-life.json"])
    parser.add_argument(
        "--models",
        nargs=2,
        default=["tiny", "tiny-performer"],
        metavar=("SOFTMAX", "TWIN"),
        help="a model, and what rf finetune --performer made of it",
    )
    parser.add_argument("--keys", type=int, default=128)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--paths", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path("first-performer.png"))
    arguments = parser.parse_args()

    softmax, twin = map(rfcli.load_model, arguments.models)
    models = {
        "softmax": softmax,
        "FAVOR+ with an\nepsilon, swapped in": drowned(softmax),
        "FAVOR+ of rf,\nswapped in": convert(softmax, "performer", feature_map="favor"),
        "performer of rf,\nfine-tuned": twin,
        f"near-far, {arguments.keys} keys,\nno training": convert(softmax, "nearfar", keys=arguments.keys),
    }
    draw(arguments.scenes, models, "softmax", arguments.resolution, arguments.paths, arguments.out)


if __name__ == "__main__":
    main()
