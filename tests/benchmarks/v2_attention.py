"""The deviation of window and near-far attention from full softmax, on the same tokens of RenderFormer-V2.

Softmax runs the model; in each layer both mechanisms get the layer's queries, keys and values. Deviation: mean squared
difference from softmax's output divided by its variance over tokens, the mean over heads; the mean of all values, the
same for every token, would have about 100 %. Weights are random, since no trained ones of this architecture can be had;
queries are scaled by each of --gains.

    python -m tests.benchmarks.v2_attention --triangles 1k,4k,16k
"""

import argparse
import dataclasses

import torch

from rfcli.attention import AttentionLayer, Context, LayerSpec, find_mechanism
from rfcli.cli.options import triangle_counts
from rfcli.model import PRESETS, SceneBatch
from rfcli.model.layers import SelfAttention
from rfcli.model.v2 import RenderFormerV2
from rfcli.study.scenes.random_triangles import random_triangle_batch
from rfcli.study.scenes.tessellation import tessellated
from rfcli.training import new_model


def scene_batch(scene: str | None, triangles: int) -> SceneBatch:
    """A scene file, tessellated to exactly this many triangles; None: random triangles."""
    if scene is None:
        return random_triangle_batch(triangles, 0, torch.device("cpu"))
    import rfcli

    return SceneBatch.from_scenes(tessellated(rfcli.load_scene(scene), triangles))


@torch.no_grad()
def deviations(
    model: RenderFormerV2, batch: SceneBatch, mechanisms: dict[str, dict[str, int]], gain: float
) -> dict[str, float]:
    """Mean deviation over the layers, by mechanism."""
    config = model.config
    spec = LayerSpec(config.num_heads, config.head_dim, 0, config.rope_dim // 2, config.rope_coordinates)
    softmax = find_mechanism("sdpa").create_layer(spec)
    layers = {
        name: find_mechanism(name.split()[0]).create_layer(spec, **options) for name, options in mechanisms.items()
    }
    context = model.context(batch)
    plans = {name: dataclasses.replace(context, plan=layer.plan(context)) for name, layer in layers.items()}
    found: dict[str, list[float]] = {name: [] for name in mechanisms}
    for attention in model.transformer.attentions():
        attention.mechanism = Comparison(attention, softmax, layers, plans, found, gain)
    model.view_independent(batch)
    return {name: sum(values) / len(values) for name, values in found.items()}


class Comparison(AttentionLayer):
    """Softmax attention that also measures how other mechanisms deviate from it."""

    def __init__(
        self,
        attention: SelfAttention,
        softmax: torch.nn.Module,
        layers: dict[str, torch.nn.Module],
        plans: dict[str, Context],
        found: dict[str, list[float]],
        gain: float,
    ) -> None:
        super().__init__(attention.mechanism.spec)
        attention.takes_output_buffer = False
        self.softmax, self.layers, self.plans, self.found, self.gain = softmax, layers, plans, found, gain

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, context: Context) -> torch.Tensor:
        q = q * self.gain
        exact = self.softmax(q, k, v, Context())
        variance = exact.var(2, keepdim=True).mean((2, 3))
        for name, layer in self.layers.items():
            error = (layer(q, k, v, self.plans[name]) - exact).square().mean((2, 3)) / variance
            self.found[name].append(float(error.mean()))
        return exact


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triangles", default="1k,4k,16k")
    parser.add_argument("--scene", help="a scene file, tessellated; else random triangles")
    parser.add_argument("--model", default="v2-base")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--gains", default="1,1.4")
    options = parser.parse_args()
    mechanisms = {"window": {"half_window": 256}, "nearfar 512": {"keys": 512}, "nearfar 1024": {"keys": 1024}}
    config = dataclasses.replace(PRESETS[options.model], num_layers=options.layers)
    for triangles in triangle_counts("--triangles", options.triangles):
        for gain in map(float, options.gains.split(",")):
            model = new_model(config, 0).eval()
            assert isinstance(model, RenderFormerV2)
            row = deviations(model, scene_batch(options.scene, triangles), mechanisms, gain)
            print(triangles, gain, " ".join(f"{name}: {value:.3%}" for name, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
