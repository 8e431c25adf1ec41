"""Red, green and blue apart: each channel of a picture is that of a scene of its own.

Light of one wavelength never becomes light of another on surfaces without fluorescence, so what a channel of the image
shows depends on that channel of the materials and the lights alone. A network that sees all three at once has to learn
so, and that they obey one law; here it is given: a scene is computed three times, each time with the colours of one
channel in the place of all three. Red walls then redden their neighbours by what the network knows of grey ones.
"""

from dataclasses import replace

import torch
from einops import rearrange, repeat
from torch import Tensor

from rfcli.model.config import RenderFormerConfig
from rfcli.model.scene_batch import COLOURS, SceneBatch

CHANNELS = 3


def scenes_computed(batch: SceneBatch, config: RenderFormerConfig) -> SceneBatch:
    """The batch as the network computes it: as it is, or for B scenes of channels apart their 3 B monochrome ones."""
    if config.channels == "together" or batch.monochrome:
        return batch
    return SceneBatch(
        *(repeat(x, "b ... -> (b k) ...", k=CHANNELS) for x in (batch.triangles, batch.vn, batch.mask)),
        material=None if batch.material is None else _of_each_channel(batch.material),
        texture=None if batch.texture is None else _of_each_channel(batch.texture),
        monochrome=True,
    )


def one_image(images: Tensor, scenes: int) -> Tensor:
    """[B, V, H, W, 3] log images of so many scenes from those of their monochrome ones [S, V, H, W, 3], S = B or 3 B.

    The three channels of a monochrome image are three answers to one question: their mean is taken.
    """
    grey = images.mean(-1)
    if len(grey) == scenes:
        return repeat(grey, "b v h w -> b v h w k", k=CHANNELS)
    return rearrange(grey, "(b k) v h w -> b v h w k", k=CHANNELS)


def _of_each_channel(surface: Tensor) -> Tensor:
    """[3 B, N, 13, ...] of materials or textures [B, N, 13, ...]: each channel's colours in the place of all three."""
    apart = repeat(surface, "b n ... -> b k n ...", k=CHANNELS).clone()
    for colour in COLOURS:
        for channel in range(CHANNELS):
            apart[:, channel, :, colour] = surface[:, :, colour][:, :, channel : channel + 1]
    return apart.flatten(0, 1)
