"""Initial weights."""

import math

import torch
from torch import nn

from rfcli.model import RenderFormer, RenderFormerConfig
from rfcli.model.architectures import build
from rfcli.model.first_hit import FirstHitStage
from rfcli.model.traced_light import TracedLightStage

STD = 0.02  # of learned tokens, and of the last layer, whose output is then close to its bias
INITIAL_LIGHT = 0.5  # log10(1 + light) predicted by the untrained pixel decoder: about the mean of well-lit scenes


def new_model(config: RenderFormerConfig, seed: int) -> RenderFormer:
    """A RenderFormer with initial weights.

    Weights are Gaussian with variance 1 / fan-in, so that every layer preserves the scale of its input. The branches
    that add to the residual stream are scaled by 1 / sqrt(2 layers), so that its scale does not depend on the depth.
    (The usual fixed standard deviation of 0.02 suits wide models, but leaves small ones nearly linear.)

    Args:
        config: The architecture.
        seed: Seed of the weights.

    Returns:
        The model, on the CPU.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(config)
        depth = {"transformer": config.num_layers, "view_transformer": config.view_transformer_n_layers}
        for name, module in model.named_modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                if name.endswith("ffn.w2") and ".layers." in name:
                    module.weight.data /= math.sqrt(2 * depth[name.split(".")[0]])
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for token in (model.tri_token, model.reg_tokens, model.view_transformer.ray_map_patch_token):
            nn.init.normal_(token, std=STD)  # the embedding of V2's summaries starts at 0
        if isinstance(model.view_transformer, FirstHitStage):
            light = model.view_transformer.pixel_decoder.light
            assert light.bias is not None
            nn.init.normal_(light.weight, std=STD)
            nn.init.constant_(light.bias, math.log(math.expm1(INITIAL_LIGHT)))  # softplus of this is INITIAL_LIGHT
        if isinstance(model.view_transformer, TracedLightStage):
            model.view_transformer.reset_light()
    return model
