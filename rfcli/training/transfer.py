"""Attention transfer: each new attention layer learns to answer as its softmax teacher does.

A plain swap of the mechanism must learn light transport anew. Instead the teacher runs as it is; every layer of the
student gets the teacher's own input and is pulled towards the teacher's own output, layer by layer in one pass
(the first stage of LoLCATs, Zhang et al., arXiv 2410.10254).
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from rfcli.model import RenderFormer, SceneBatch
from rfcli.model.transport import scenes_computed

Heard = tuple[Tensor, nn.Module, Tensor]  # input, its norm and output of one attention module


def attention_parameters(model: RenderFormer) -> Iterator[nn.Parameter]:
    """What transfer trains: projections, norms and mechanisms of the view-independent attention layers."""
    for attention in model.transformer.attentions():
        yield from attention.parameters()


def transfer_loss(student: RenderFormer, teacher: RenderFormer, scenes: SceneBatch) -> Tensor:
    """Mean over the layers of |student - teacher|^2 / variance of the teacher's output, over real tokens: 0 is equal,
    1 is as good as the mean."""
    scenes, _unit = scenes_computed(scenes, student.config)
    heard = _listen(teacher, scenes)
    context = student.context(scenes)
    rotation = student.rotation(scenes)
    real = slice(None) if context.key_mask is None else context.key_mask
    losses = []
    for attention, (given, norm, answer) in zip(student.transformer.attentions(), heard, strict=True):
        out = attention(given, norm, rotation, context)[real].float()
        wanted = answer[real].float()
        losses.append((out - wanted).square().mean() / wanted.var().clamp_min(1e-8))
    return torch.stack(losses).mean()


@torch.no_grad()
def _listen(teacher: RenderFormer, scenes: SceneBatch) -> list[Heard]:
    """Inputs and outputs of the teacher's attention layers."""
    heard: list[Heard] = []
    hooks = [
        attention.register_forward_hook(lambda _module, inputs, output: heard.append((*inputs[:2], output)))
        for attention in teacher.transformer.attentions()
    ]
    try:
        teacher.view_independent(scenes)
    finally:
        for hook in hooks:
            hook.remove()
    return heard
