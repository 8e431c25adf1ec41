"""The weights that training starts from."""

import math

import torch
from torch import nn

from rfcli.model import RenderFormer, RenderFormerConfig

STD = 0.02  # of learned tokens, and of the last layer, which is to start close to its bias
DARK = 0.5  # log10(1 + light) that the pixel decoder starts from: about the mean of well-lit scenes


def new_model(config: RenderFormerConfig, seed: int) -> RenderFormer:
    """A RenderFormer with fresh weights: Gaussians of variance 1 / fan-in, so that every layer passes on the scale it
    gets, and branches into the residual stream that start smaller the more layers there are, so that depth does not
    change the stream's scale. (A fixed narrow width, right for wide models, leaves small ones nearly linear.)"""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = RenderFormer(config)
        depth = {"transformer": config.num_layers, "view_transformer": config.view_transformer_n_layers}
        for name, module in model.named_modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                if name.endswith("ffn.w2") and ".layers." in name:
                    module.weight.data /= math.sqrt(2 * depth[name.split(".")[0]])
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for token in (model.tri_token, model.reg_tokens, model.view_transformer.ray_map_patch_token):
            nn.init.normal_(token, std=STD)
        if model.view_transformer.first_hit:
            light = model.view_transformer.pixel_decoder.light
            assert light.bias is not None
            nn.init.normal_(light.weight, std=STD)
            nn.init.constant_(light.bias, math.log(math.expm1(DARK)))  # softplus of this is DARK
    return model
