"""Red, green and blue apart: each channel of a picture is that of a scene of its own.

Light of one wavelength never becomes light of another on surfaces without fluorescence, so what a channel of the image
shows depends on that channel of the materials and the lights alone. A network that sees all three at once has to learn
so, and that they obey one law; here it is given: a scene is computed three times, each time with the colours of one
channel in the place of all three. Red walls then redden their neighbours by what the network knows of grey ones.
"""

from einops import rearrange, repeat
from torch import Tensor

from rfcli.model.config import RenderFormerConfig
from rfcli.model.light_unit import in_its_unit, light_unit
from rfcli.model.scene_batch import COLOURS, SceneBatch

CHANNELS = 3


def channels_computed(config: RenderFormerConfig) -> int:
    """How many scenes the network computes in the place of one."""
    return CHANNELS if config.channels == "apart" else 1


def scenes_computed(batch: SceneBatch, config: RenderFormerConfig) -> tuple[SceneBatch, Tensor | None]:
    """The S scenes that the network computes, and the units [S] in which their light is.

    For B scenes they are these, or with channels apart the 3 B monochrome ones of them. No units where light is
    computed as given; a scene of three channels has the unit of their mean.
    """
    apart = channels_computed(config) > 1 and not batch.monochrome
    scenes = _of_each_channel(batch) if apart else batch
    if config.light == "given":
        return scenes, None
    units = light_unit(batch)
    unit = units.flatten() if apart else units.mean(1)
    return in_its_unit(scenes, unit), unit


def of_three_channels(answers: Tensor, channels: int, views: int) -> Tensor:
    """Of what was computed for each channel apart, one answer: [B V, H, W, 3 Q] from [B K V, H, W, 3 Q].

    answers: Q quantities of r, g and b by V views of K monochrome scenes in the place of each of B. They are three
    answers to one question, whose mean is taken. K = channels: 3, or 1 where the scene itself has but one.
    """
    apart = rearrange(answers, "(b k v) h w (q c) -> (b v) h w q k c", k=channels, v=views, c=CHANNELS).mean(-1)
    return apart.expand(-1, -1, -1, -1, CHANNELS).flatten(3)


def _of_each_channel(batch: SceneBatch) -> SceneBatch:
    triangles, vn, mask = (repeat(x, "b ... -> (b k) ...", k=CHANNELS) for x in (batch.triangles, batch.vn, batch.mask))
    material, texture = (None if x is None else _surface_of_each(x) for x in (batch.material, batch.texture))
    return SceneBatch(triangles, vn, mask, material, texture, monochrome=True)


def _surface_of_each(surface: Tensor) -> Tensor:
    """[3 B, N, 13, ...] of materials or textures [B, N, 13, ...]: each channel's colours in the place of all three."""
    apart = repeat(surface, "b n ... -> b k n ...", k=CHANNELS).clone()
    for colour in COLOURS:
        for channel in range(CHANNELS):
            apart[:, channel, :, colour] = surface[:, :, colour][:, :, channel : channel + 1]
    return apart.flatten(0, 1)
