"""What a layer is made of, as the config says it: each switch is read here and nowhere else."""

from torch import nn

from rfcli.model.config import RenderFormerConfig
from rfcli.model.feed_forward import FEED_FORWARD
from rfcli.model.norms import layer_norm


class LayerParts:
    """Makes the parts of the layers of one transformer. qk_norm: whether queries and keys are normalised there."""

    def __init__(self, config: RenderFormerConfig, qk_norm: bool) -> None:
        self._config = config
        self._qk_norm = qk_norm

    def linear(self, inputs: int, outputs: int) -> nn.Module:
        """A projection of an attention."""
        return nn.Linear(inputs, outputs, bias=self._config.bias)

    def norm(self, dim: int) -> nn.Module:
        """In front of an attention or a feed-forward."""
        return layer_norm(self._config.norm_type, dim)

    def qk_norm(self, dim: int) -> nn.Module:
        """Of the queries or keys of all heads together."""
        return self.norm(dim) if self._qk_norm else nn.Identity()

    def feed_forward(self, dim: int, hidden: int) -> nn.Module:
        """With the config's activation."""
        config = self._config
        return FEED_FORWARD[config.activation](dim, hidden, config.bias, config.dropout)

    def dropout(self) -> nn.Module:
        """On what a branch adds to the residual stream, while training."""
        return nn.Dropout(self._config.dropout)
