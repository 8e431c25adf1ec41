"""Whether a network that looks trained is alive inside: what its tokens, its attention and its gradients are like.

A tiny model can draw good pictures while its transformer does nothing, and tokens can grow alike or without bounds
long before the loss shows it.
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
from rfcli.training.sharding import whole
from rfcli.training.validation import Validation, predict

QUERIES = 64  # of each head, evenly spaced: entropies of them all would cost what attention costs
UNUSED = 0.1  # dB that silencing the triangles' attention must at least cost
COLLAPSED = 0.05  # spread of tokens as a share of their size; healthy ones have 0.5 to 0.9
EXPLODED = 300.0  # size of tokens; healthy ones stay below 50
ALIKE, ALONE = 0.99, 0.02  # entropy of attention; healthy layers have 0.35 to 0.75
VANISHED = 1e-4  # share that the triangles' stage has of the gradient; healthy ones have a tenth to a half
PATIENCE = 0.2  # share of the run in which the triangles' attention need not be used yet


@dataclass(frozen=True)
class Health:
    """Of each layer, first to last, of both stages. Tokens are x [N, C]:

    rms      sqrt(mean x^2), their size. spread: the same of x - mean over the tokens, how much they differ.
    entropy  of the triangles' softmax attention as a share of log(keys): 1 listens to all alike, 0 to one.
    """

    triangle_rms: list[float]
    triangle_spread: list[float]
    triangle_entropy: list[float]
    ray_rms: list[float]
    ray_spread: list[float]

    def as_dict(self) -> dict[str, list[float]]:
        return {name: [round(value, 4) for value in values] for name, values in vars(self).items()}


def health(model: RenderFormer, scene: TrainingScene, resolution: int) -> Health:
    """Health of `model` (left in the mode it was in) on one scene."""
    triangles, rays, heard = model.transformer, model.view_transformer.transformer, list[float]()
    training = model.training
    model.eval()
    with _outputs(triangles.layers) as tokens, _outputs(rays.layers) as ray_tokens, _entropies(model, heard):
        predict(model, scene, resolution)
    model.train(training)
    return Health(
        triangle_rms=[rms(x) for x in tokens],
        triangle_spread=[spread(x) for x in tokens],
        triangle_entropy=heard,
        ray_rms=[rms(x) for x in ray_tokens],
        ray_spread=[spread(x) for x in ray_tokens],
    )


def rms(tokens: Tensor) -> float:
    """sqrt(mean x^2) of [B, N, C]."""
    return tokens.float().square().mean().sqrt().item()


def spread(tokens: Tensor) -> float:
    """The same of what is left when each sequence's mean token is taken away."""
    return rms(tokens - tokens.mean(1, keepdim=True))


def entropy(q: Tensor, k: Tensor, context: Context) -> float:
    """Mean entropy of softmax(q . k / sqrt(D) + bias) as a share of log(keys), over some of the queries.

    q, k [B, H, N, D] as attention mechanisms get them.
    """
    some = q[:, :, :: max(1, q.shape[2] // QUERIES)].float()
    logits = some @ k.float().transpose(-1, -2) / math.sqrt(q.shape[-1])
    bias = context.key_bias()
    log_share = torch.log_softmax(logits if bias is None else logits + bias[:, None, None], -1)
    return -(log_share.exp() * log_share.clamp_min(-1e4)).sum(-1).mean().item() / math.log(k.shape[2])


def gradient_norms(model: RenderFormer) -> dict[str, float]:
    """Norms of the gradients of the encoders of triangles, of the triangles' stage and of the rays' stage."""
    squares = dict.fromkeys(("encoders", "triangles", "rays"), 0.0)
    stages = {"transformer": "triangles", "view_transformer": "rays"}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            squares[stages.get(name.partition(".")[0], "encoders")] += whole(
                parameter.grad.float().square().sum()
            ).item()
    return {f"gradient_norm_{stage}": math.sqrt(square) for stage, square in squares.items()}


def ailments(found: Health, validation: Validation, progress: float, norms: dict[str, float]) -> list[str]:
    """What somebody who waits for the run should know, a sentence each.

    progress: share of the run that is done. norms: of the gradient of a late step, and by stage, where they are known.
    """
    sentences = []
    cost = validation.psnr - validation.psnr_without_attention
    if progress >= PATIENCE and cost < UNUSED:
        sentences.append(
            f"silencing the attention between triangles costs only {cost:.2f} dB: light transport is not being learned."
        )
    if (least := min(found.triangle_entropy)) > ALIKE:
        sentences.append(f"every layer's attention hears all triangles alike (entropy {least:.3f} of 1 or more).")
    for layer, share in enumerate(found.triangle_entropy, 1):
        if not share >= ALONE:
            sentences.append(
                f"the attention of layer {layer} hears one triangle alone (entropy {share:.3g} of 1); lower --rate."
            )
    if norms and norms["gradient_norm_triangles"] < VANISHED * norms["gradient_norm"]:
        norm = norms["gradient_norm_triangles"]
        sentences.append(f"next to no gradient reaches the stage of the triangles (norm {norm:.2g}).")
    for stage, sizes, spreads in (
        ("triangles", found.triangle_rms, found.triangle_spread),
        ("rays", found.ray_rms, found.ray_spread),
    ):
        if not spreads[-1] >= COLLAPSED * sizes[-1]:
            sentences.append(
                f"the tokens of the {stage} are nearly alike (size {sizes[-1]:.3g}, spread {spreads[-1]:.3g})."
            )
        if not sizes[-1] <= EXPLODED:
            sentences.append(f"the tokens of the {stage} have grown to a size of {sizes[-1]:.3g}; lower --rate.")
    return sentences


@contextmanager
def _outputs(layers: nn.ModuleList) -> Iterator[list[Tensor]]:
    """The outputs of the layers in the forward passes within."""
    seen: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output)) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _entropies(model: RenderFormer, heard: list[float]) -> Iterator[None]:
    """Within, `heard` gets the entropy of each attention between triangles."""

    def listen(_mechanism: nn.Module, inputs: Any, _output: Tensor) -> None:
        q, k, _, context = inputs
        heard.append(entropy(q, k, context))

    hooks = [attention.mechanism.register_forward_hook(listen) for attention in model.transformer.attentions()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
