"""What the exponents of a block's queries have in common: the second-order term of each cluster, and its weight.

    q . k / sqrt(D) + q^2 . S / (2 D) + log W          (see key_table.py)

takes q^2 as its mean over the block, so that all but the first term is one number a key. Neighbours' queries are alike
in their squares: with q^2 of each, pictures of the bundled model come closer to softmax's by .2 dB of 38 and of 54.
"""

import torch
from torch import Tensor


def common_terms(q: Tensor, number: Tensor, groups: Tensor) -> Tensor:
    """[n, G + 1] what a key's variances S and its log W are multiplied by, for the queries q [n, b, D] of n blocks.

    number [n, 1]: how many of the b queries of a block are some; others are zero. groups [D, G]: 1 for members.
    """
    squares = q.square().sum(1) / number
    return torch.nn.functional.pad(squares @ groups / (2 * q.shape[-1]), (0, 1), value=1.0)


def common_terms_gradient(gradient: Tensor, q: Tensor, number: Tensor, groups: Tensor) -> Tensor:
    """[n, b, D] of q, from that of what `common_terms` returns, [n, G + 1]."""
    return q * (gradient[:, :-1] @ groups.T / (q.shape[-1] * number))[:, None]
