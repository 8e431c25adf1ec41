"""What each token does by itself after it has listened to the others."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rfcli.model.stretches import by_stretches


class FeedForward(nn.Module):
    """dim -> hidden -> dim; what happens in between is the subclass's."""

    def __init__(self, dim: int, hidden: int, bias: bool, dropout: float) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=bias)
        self.w2 = nn.Linear(hidden, dim, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def hidden(self, x: Tensor) -> Tensor:
        """[..., dim] -> [..., hidden]."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] -> [..., dim]."""
        out: Tensor = self.dropout(self.w2(self.dropout(self.hidden(x))))
        return out


class SwiGLU(FeedForward):
    """w2(silu(w1 x) * w3 x) (Shazeer, arXiv 2002.05202)."""

    def __init__(self, dim: int, hidden: int, bias: bool, dropout: float) -> None:
        super().__init__(dim, hidden, bias, dropout)
        self.w3 = nn.Linear(dim, hidden, bias=bias)

    def hidden(self, x: Tensor) -> Tensor:
        gate: Tensor = self.w1(x)
        if torch.is_grad_enabled():
            return F.silu(gate) * self.w3(x)  # type: ignore[no-any-return]
        return F.silu(gate, inplace=True).mul_(self.w3(x))  # nothing asks for the gate again


class GELU(FeedForward):
    """w2(gelu(w1 x)) with gelu(x) = x Phi(x), Phi exact, not its tanh approximation (Hendrycks, arXiv 1606.08415)."""

    def hidden(self, x: Tensor) -> Tensor:
        return F.gelu(self.w1(x))


def add_feed_forward(x: Tensor, norm: nn.Module, feed_forward: nn.Module, dropout: nn.Module) -> Tensor:
    """x + dropout(feed_forward(norm(x))) [B, N, dim]. Several times as wide as x, the hidden activations of all tokens
    would be the peak of the whole model."""
    return by_stretches(lambda part: [x[:, part] + dropout(feed_forward(norm(x[:, part])))], x)[0]


FEED_FORWARD: dict[str, type[FeedForward]] = {"swiglu": SwiGLU, "gelu": GELU}
