"""Attention transfer: each new attention layer learns to match the output of the softmax layer that it replaces.

The teacher, the softmax model, is run unchanged. Every attention layer of the student gets the input of the teacher's
layer and is trained towards its output, all layers in one pass. Training a model with a new mechanism directly on
images would have to learn light transport again. (First step of LoLCATs, Zhang et al., arXiv 2410.10254.)
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from rfcli.model import RenderFormer, SceneBatch

LayerRecord = tuple[Tensor, nn.Module, Tensor]  # input, its norm and output of an attention layer


def attention_parameters(model: RenderFormer) -> Iterator[nn.Parameter]:
    """The parameters that transfer trains: projections, norms and mechanisms of the view-independent attention."""
    for attention in model.transformer.attentions():
        yield from attention.parameters()


def transfer_loss(student: RenderFormer, teacher: RenderFormer, scenes: SceneBatch) -> Tensor:
    """Mean over the layers of |student - teacher|^2 / variance of the teacher's output, without padded tokens.

    0 for equal outputs, 1 for a student that always returns the mean of the teacher's output.
    """
    scenes = student.symmetries.split(scenes).batch
    records = _record_attention(teacher, scenes)
    context = student.context(scenes)
    rotation = student.rotation(scenes)
    real = slice(None) if context.key_mask is None else context.key_mask
    losses = []
    for attention, (given, norm, output) in zip(student.transformer.attentions(), records, strict=True):
        out = attention(given, norm, rotation, context)[real].float()
        target = output[real].float()
        losses.append((out - target).square().mean() / target.var().clamp_min(1e-8))
    return torch.stack(losses).mean()


@torch.no_grad()
def _record_attention(teacher: RenderFormer, scenes: SceneBatch) -> list[LayerRecord]:
    """Inputs and outputs of the teacher's attention layers."""
    records: list[LayerRecord] = []
    hooks = [
        attention.register_forward_hook(lambda _module, inputs, output: records.append((*inputs[:2], output)))
        for attention in teacher.transformer.attentions()
    ]
    try:
        teacher.view_independent(scenes)
    finally:
        for hook in hooks:
            hook.remove()
    return records
