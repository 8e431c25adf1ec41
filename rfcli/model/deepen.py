"""A deeper model out of a trained one, which at first renders the same pictures.

New layers are copies of old ones whose branches end in zeros, so that they add nothing until trained (block expansion:
Wu et al., LLaMA Pro, arXiv 2401.02415).
"""

import dataclasses
import re

import torch

from rfcli.errors import InputError
from rfcli.model.renderformer import RenderFormer

MOST_LAYERS = 256
_LAYER = re.compile(r"transformer\.layers\.(\d+)\.(.+)")
_ENDS = ("multihead_attn.out_proj.", "ffn.w2.")  # of what a layer adds to the residual stream


def deepened(model: RenderFormer, layers: int) -> RenderFormer:
    """A new model whose view-independent stage has `layers` layers, on the same device, in eval mode.

    Each old layer is followed by its share of the new ones. Raises InputError where that would not make it deeper.
    """
    old = model.config.num_layers
    if not old < layers <= MOST_LAYERS:
        raise InputError(f"--layers {layers} must be more than the model's {old}, and at most {MOST_LAYERS}.")
    deep = RenderFormer(dataclasses.replace(model.config, num_layers=layers)).to(next(model.parameters()).device)
    sources = [new * old // layers for new in range(layers)]
    trained, state = model.state_dict(), deep.state_dict()
    for name, value in state.items():
        found = _LAYER.fullmatch(name)
        if found is None:
            value.copy_(trained[name])
            continue
        new, part = int(found[1]), found[2]
        source = sources[new]
        if new > sources.index(source) and part.startswith(_ENDS):
            torch.nn.init.zeros_(value)
        else:
            value.copy_(trained[f"transformer.layers.{source}.{part}"])
    return deep.eval()
