"""The networks by their configs, RenderFormer and RenderFormer-V2, and the named presets of both."""

from rfcli.model.config import BASE, LARGE, SMALL, TINY, RenderFormerConfig
from rfcli.model.renderformer import RenderFormer
from rfcli.model.v2.config import V2_BASE, V2_SMALL, RenderFormerV2Config

PRESETS: dict[str, RenderFormerConfig] = {
    "tiny": TINY,
    "small": SMALL,
    "base": BASE,
    "swin-large": LARGE,
    "v2-small": V2_SMALL,
    "v2-base": V2_BASE,
}


def network_class(config: RenderFormerConfig) -> type[RenderFormer]:
    """The class of the network that a config describes."""
    if isinstance(config, RenderFormerV2Config):
        from rfcli.model.v2.renderformer import RenderFormerV2

        return RenderFormerV2
    return RenderFormer


def build(config: RenderFormerConfig) -> RenderFormer:
    """A network with torch's default weights, on the CPU."""
    return network_class(config)(config)
