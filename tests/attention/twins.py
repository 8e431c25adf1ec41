"""Slow exact versions in float64, written from the formulas, to compare the fast ones with."""

import torch
from torch import Tensor


def dense_softmax(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """softmax(q k^T / sqrt(D) + bias) v with every logit written out; bias [B, N]."""
    logits = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
    if bias is not None:
        logits = logits + bias[:, None, None, :].to(logits)
    weights = torch.exp(logits - logits.amax(-1, keepdim=True))
    return torch.einsum("bhij,bhjd->bhid", weights / weights.sum(-1, keepdim=True), v)


def dense_favor(q: Tensor, k: Tensor, v: Tensor, directions: Tensor, bias: Tensor | None) -> Tensor:
    """The FAVOR+ kernel sum_f phi_f(q_i) phi_f(k_j) as an N x N matrix of logarithms, then normalised.

    Nothing is factored, so nothing depends on the order of sums or on running maxima.
    """
    scale = q.shape[-1] ** -0.25
    log_q = torch.einsum("bhid,hfd->bhif", q * scale, directions) - (q * scale).square().sum(-1, keepdim=True) / 2
    log_k = torch.einsum("bhjd,hfd->bhjf", k * scale, directions) - (k * scale).square().sum(-1, keepdim=True) / 2
    kernel = torch.logsumexp(log_q[:, :, :, None] + log_k[:, :, None], -1)
    if bias is not None:
        kernel = kernel + bias[:, None, None, :].to(kernel)
    return torch.einsum("bhij,bhjd->bhid", kernel.softmax(-1), v)
