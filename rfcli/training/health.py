"""Checks for failures inside a network that its images do not show.

A tiny model can render good images while its transformer does nothing, and tokens can become identical or grow without
bounds long before the loss shows it. So each validation measures tokens, attention and gradients.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rfcli.attention import Context
from rfcli.dataset.training_scene import TrainingScene
from rfcli.model import RenderFormer
from rfcli.training.sharding import gathered
from rfcli.training.validation import Validation, evaluating, predict

MAX_QUERIES = 64  # per head, evenly spaced: the entropies of all queries would cost as much as attention
MIN_ATTENTION_GAIN = 0.1  # dB of PSNR that attention between triangles must contribute
MIN_SPREAD = 0.05  # of the tokens, relative to their RMS; healthy models have 0.5 to 0.9
MAX_RMS = 300.0  # of the tokens; healthy models stay below 50
MIN_ENTROPY, MAX_ENTROPY = 0.02, 0.99  # of attention; healthy layers have 0.35 to 0.75
MIN_GRADIENT_SHARE = 1e-4  # of the view-independent stage; healthy models have a tenth to a half
GRACE_PERIOD = 0.2  # share of the run after which attention must contribute


@dataclass(frozen=True)
class Health:
    """Measurements of each layer, first to last. Tokens are x [N, C].

    Attributes:
        triangle_rms: sqrt(mean x^2) in the view-independent stage.
        triangle_spread: The same of x - mean over the tokens: how much tokens differ.
        triangle_entropy: Mean entropy of the softmax attention relative to log(keys): 1 = uniform, 0 = a single key.
        ray_rms: RMS in the view-dependent stage.
        ray_spread: Spread in the view-dependent stage.
    """

    triangle_rms: list[float]
    triangle_spread: list[float]
    triangle_entropy: list[float]
    ray_rms: list[float]
    ray_spread: list[float]

    def as_dict(self) -> dict[str, list[float]]:
        return {name: [round(value, 4) for value in values] for name, values in vars(self).items()}


def health(model: RenderFormer, scene: TrainingScene, resolution: int) -> Health:
    """Measure a model on one scene; its training mode is restored."""
    triangles, rays, entropies = model.transformer, model.view_transformer.transformer, list[float]()
    with (
        evaluating(model),
        _outputs(triangles.layers) as tokens,
        _outputs(rays.layers) as ray_tokens,
        _attention_entropies(model, entropies),
    ):
        predict(model, scene, resolution)
    return Health(
        triangle_rms=[rms(x) for x in tokens],
        triangle_spread=[spread(x) for x in tokens],
        triangle_entropy=entropies,
        ray_rms=[rms(x) for x in ray_tokens],
        ray_spread=[spread(x) for x in ray_tokens],
    )


def rms(tokens: Tensor) -> float:
    """sqrt(mean x^2) of [B, N, C]."""
    return tokens.float().square().mean().sqrt().item()


def spread(tokens: Tensor) -> float:
    """RMS of [B, N, C] after the mean token of each sequence is subtracted."""
    return rms(tokens - tokens.mean(1, keepdim=True))


def entropy(q: Tensor, k: Tensor, context: Context) -> float:
    """Mean entropy of softmax(q . k / sqrt(D) + bias) relative to log(keys), over some of the queries.

    q, k [B, H, N, D], the inputs of attention mechanisms.
    """
    queries = q[:, :, :: max(1, q.shape[2] // MAX_QUERIES)].float()
    logits = queries @ k.float().transpose(-1, -2) / math.sqrt(q.shape[-1])
    bias = context.key_bias()
    log_share = torch.log_softmax(logits if bias is None else logits + bias[:, None, None], -1)
    return -(log_share.exp() * log_share.clamp_min(-1e4)).sum(-1).mean().item() / math.log(k.shape[2])


def gradient_norms(model: RenderFormer) -> dict[str, float]:
    """Norms of the gradients of the triangle encoders, the view-independent and the view-dependent stage."""
    squares = dict.fromkeys(("encoders", "triangles", "rays"), 0.0)
    stages = {"transformer": "triangles", "view_transformer": "rays"}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            square = gathered(parameter.grad.float().square().sum()).item()
            squares[stages.get(name.partition(".")[0], "encoders")] += square
    return {f"gradient_norm_{stage}": math.sqrt(square) for stage, square in squares.items()}


def health_warnings(found: Health, validation: Validation, progress: float, norms: dict[str, float]) -> list[str]:
    """A sentence for each measurement outside its healthy range.

    Args:
        found: Measurements of the model.
        validation: Its quality.
        progress: Share of the run that is done.
        norms: Gradient norm of a recent step, in total and by stage; empty if unknown.
    """
    warnings = []
    gain = validation.psnr - validation.psnr_without_attention
    if progress >= GRACE_PERIOD and gain < MIN_ATTENTION_GAIN:
        warnings.append(
            f"disabling attention between triangles costs only {gain:.2f} dB: light transport is not being learned."
        )
    if (lowest := min(found.triangle_entropy)) > MAX_ENTROPY:
        warnings.append(f"attention between triangles is near-uniform in every layer (entropy {lowest:.3f} or more).")
    for layer, share in enumerate(found.triangle_entropy, 1):
        if not share >= MIN_ENTROPY:
            warnings.append(
                f"attention layer {layer} attends to a single triangle (entropy {share:.3g}); lower the learning rate."
            )
    if norms and norms["gradient_norm_triangles"] < MIN_GRADIENT_SHARE * norms["gradient_norm"]:
        norm = norms["gradient_norm_triangles"]
        warnings.append(f"almost no gradient reaches the view-independent stage (norm {norm:.2g}).")
    for stage, sizes, spreads in (
        ("view-independent", found.triangle_rms, found.triangle_spread),
        ("view-dependent", found.ray_rms, found.ray_spread),
    ):
        if not spreads[-1] >= MIN_SPREAD * sizes[-1]:
            warnings.append(
                f"the tokens of the {stage} stage are nearly identical (RMS {sizes[-1]:.3g}, spread {spreads[-1]:.3g})."
            )
        if not sizes[-1] <= MAX_RMS:
            warnings.append(
                f"the tokens of the {stage} stage have grown to an RMS of {sizes[-1]:.3g}; lower the learning rate."
            )
    return warnings


@contextmanager
def _outputs(layers: nn.ModuleList) -> Iterator[list[Tensor]]:
    """Collects the outputs of layers."""
    outputs: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output)) for layer in layers]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _attention_entropies(model: RenderFormer, entropies: list[float]) -> Iterator[None]:
    """Appends the entropy of each attention layer of the view-independent stage to `entropies`."""

    def measure(_mechanism: nn.Module, inputs: Any, _output: Tensor) -> None:
        q, k, _, context = inputs
        entropies.append(entropy(q, k, context))

    hooks = [attention.mechanism.register_forward_hook(measure) for attention in model.transformer.attentions()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
