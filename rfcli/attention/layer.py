"""Base class of the layers of all mechanisms."""

from typing import Any

from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.mechanism import LayerSpec


class AttentionLayer(nn.Module):
    """One attention layer of the view-independent stage, called as `layer(q, k, v, context)`.

    A subclass implements `forward`, and the other methods if the mechanism uses them.

    Args:
        spec: The position of the layer in the model, and its shape.
    """

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
        """Attend from every query to all keys.

        Args:
            q: Queries [B, H, N, D] after RoPE, in any floating-point format.
            k: Keys [B, H, N, D] after RoPE.
            v: Values [B, H, N, D].
            context: Properties of the tokens, shared by all layers.

        A mechanism with `takes_output_buffer` has one more argument, `out: Tensor | None = None`: memory of the shape
        of `q` that the layer may use for its result if gradients are disabled. It may be `q` itself.

        Returns:
            [B, H, N, D] in the dtype of `q`. Rows of padded tokens are undefined, but finite.
        """
        raise NotImplementedError

    def plan(self, context: Context) -> Any:
        """Precompute data of a batch, once for all layers; the result becomes `context.plan`.

        The model calls this method of the first layer, before the first layer's `forward`.

        Args:
            context: Properties of the tokens, `features` included.

        Returns:
            Any object that the layers use; None = nothing.
        """
        return None

    def redraw(self, seed: int) -> None:
        """Draw new random features, if the layer has any; called every 200 steps in the first half of training.

        Args:
            seed: The same for all layers of a model; the layer adds `spec.index`.
        """
