"""Slow exact versions in float64, written from the formulas, to compare the fast ones with."""

import math

import torch
from torch import Tensor

from rfcli.attention import Context
from rfcli.attention.nearfar.plan import BLOCK, ScenePlan


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
    kernel = summed_over_features(log_q, log_k)
    if bias is not None:
        kernel = kernel + bias[:, None, None, :].to(kernel)
    return torch.einsum("bhij,bhjd->bhid", kernel.softmax(-1), v)


def summed_over_features(log_q: Tensor, log_k: Tensor) -> Tensor:
    """log sum_f exp(log_q + log_k) [B, H, N, N], a few queries at a time: each takes N x features numbers."""
    parts = log_q.split(max(1, 2**23 // log_k[0, 0].numel()), 2)
    return torch.cat([torch.logsumexp(part[:, :, :, None] + log_k[:, :, None], -1) for part in parts], 2)


def dense_learned(q: Tensor, k: Tensor, v: Tensor, layer: torch.nn.Module, context: Context) -> Tensor:
    """Softmax over b - log m + log sum_f exp(u_f . q' + w_f . k' - |q'|^2 / 2 - |k'|^2 / 2), and over q . k / sqrt(D)
    for keys that are registers or emitters; x' = x / (2 D^(1/4)); u, w the layer's rows times sqrt(D); b = 1 + 10
    balance."""
    scale, root = q.shape[-1] ** -0.25 / 2, q.shape[-1] ** 0.5
    of_q, of_k = (
        torch.einsum("bhid,hfd->bhif", x * scale, rows.double() * root) - (x * scale).square().sum(-1, keepdim=True) / 2
        for x, rows in ((q, layer.query_directions), (k, layer.key_directions))
    )
    kernel = summed_over_features(of_q, of_k)
    kernel = kernel + 1 + 10 * layer.balance.double()[:, None, None] - math.log(layer.query_directions.shape[1])
    return beside_exact_keys(kernel, q, k, v, context)


def beside_exact_keys(kernel: Tensor, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
    """Softmax over log kernels [B, H, N, N], and over q . k / sqrt(D) for keys that are registers or emitters."""
    logits = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
    exact = torch.zeros(len(q), k.shape[2], dtype=torch.bool) if context.emitters is None else context.emitters.clone()
    exact[:, : context.registers] = True
    kernel = torch.where(exact[:, None, None], logits, kernel)
    bias = context.key_bias()
    if bias is not None:
        kernel = kernel + bias[:, None, None, :].to(kernel)
    return torch.einsum("bhij,bhjd->bhid", kernel.softmax(-1), v)


def weighted_by(kernel: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """A kernel [B, H, N, N] above 0 in place of exp(logit)."""
    if bias is not None:
        kernel = kernel * bias[:, None, None, :].to(kernel).exp()
    return torch.einsum("bhij,bhjd->bhid", kernel / kernel.sum(-1, keepdim=True), v)


def dense_relu(q: Tensor, k: Tensor, v: Tensor, directions: Tensor, bias: Tensor | None) -> Tensor:
    """The kernel sum_f (relu(w_f . q') + 0.001) (relu(w_f . k') + 0.001), x' = x / D^(1/4)."""
    scale = q.shape[-1] ** -0.25
    of_q, of_k = (torch.einsum("bhid,hfd->bhif", x * scale, directions).clamp_min(0) + 1e-3 for x in (q, k))
    return weighted_by(torch.einsum("bhif,bhjf->bhij", of_q, of_k), v, bias)


def dense_hedgehog(q: Tensor, k: Tensor, v: Tensor, layer: torch.nn.Module, context: Context) -> Tensor:
    """The kernel e^b D / 2 phi(q) . phi(k), phi(x) = [softmax(W x), softmax(-W x)], b = 1 + 10 balance; for keys that
    are registers or emitters, exp(q . k / sqrt(D))."""

    def features(x: Tensor, rows: Tensor) -> Tensor:
        spikes = torch.einsum("bhid,hfd->bhif", x, rows.double())
        return torch.cat([spikes.softmax(-1), (-spikes).softmax(-1)], -1)

    kernel = torch.einsum("bhif,bhjf->bhij", features(q, layer.query_map), features(k, layer.key_map)).log()
    kernel = kernel + (1 + 10 * layer.balance.double() + math.log(q.shape[-1] / 2))[:, None, None]
    return beside_exact_keys(kernel, q, k, v, context)


def dense_near_far(q: Tensor, k: Tensor, v: Tensor, context: Context, frequencies: int) -> Tensor:
    """Softmax of each query over the list of keys that its block has in the plan, every cluster summed afresh."""
    bias = context.key_bias()
    exact = dense_softmax(q, k, v, bias)
    if context.plan is None:
        return exact
    log_weight = torch.zeros(k.shape[0], k.shape[2]) if context.log_weight is None else context.log_weight
    scenes = []
    for scene, plan in enumerate(context.plan):
        if plan is None:
            scenes.append(exact[scene])
            continue
        out = torch.zeros_like(q[scene]).index_copy(1, plan.exact, exact[scene][:, plan.exact])
        table = _keys(k[scene], v[scene], log_weight[scene].double(), plan, frequencies)
        for block, rows in enumerate(plan.rows.tolist()):
            used = [row for row in rows if row < len(table)]
            tokens = plan.order[block * BLOCK : min((block + 1) * BLOCK, plan.count)]
            out = out.index_copy(1, tokens, _read(q[scene][:, tokens], [table[row] for row in used], frequencies))
        scenes.append(out)
    return torch.stack(scenes)


def members(plan: ScenePlan) -> list[list[int]]:
    """The tokens of every row of the plan's table: nodes level by level, each level but the root's of even length."""
    tokens = plan.order[: plan.count].tolist()
    rows, size, nodes = [], plan.smallest, len(plan.order) // plan.smallest
    while True:
        nodes += nodes % 2 if nodes > 1 else 0
        rows += [tokens[i * size : (i + 1) * size] for i in range(nodes)]
        if nodes == 1:
            return rows + [[token] for token in plan.exact.tolist()]
        size, nodes = 2 * size, nodes // 2


def channel_groups(dim: int, frequencies: int) -> list[list[int]]:
    """Channels that turn with one frequency along one axis, then those that do not turn."""
    half = dim // 2
    groups: dict[tuple[int, int], list[int]] = {}
    for pair in range(half):
        turns = pair < 9 * frequencies
        name = (pair % frequencies, pair // frequencies % 3) if turns else (-1, -1)
        groups.setdefault(name, []).extend([pair, pair + half])
    return list(groups.values())


Key = tuple[Tensor, Tensor, Tensor, Tensor]  # log weight [], mean key, variance per channel and mean value [H, D]


def _keys(k: Tensor, v: Tensor, log_weight: Tensor, plan: ScenePlan, frequencies: int) -> list[Key | None]:
    keys: list[Key | None] = []
    for tokens in members(plan):
        if not tokens:
            keys.append(None)
            continue
        weight = log_weight[tokens].exp()[:, None]
        mean = (weight * k[:, tokens]).sum(1) / weight.sum()
        variance = (weight * (k[:, tokens] - mean[:, None]) ** 2).sum(1) / weight.sum()
        keys.append((weight.sum().log(), mean, variance, (weight * v[:, tokens]).sum(1) / weight.sum()))
    return keys


def _read(q: Tensor, keys: list[Key | None], frequencies: int) -> Tensor:
    """q [H, n, D] of a block over some keys; the squares of its queries count as their mean."""
    assert all(key is not None for key in keys)
    log_weight, mean, variance, value = (
        torch.stack(part, -2 if part[0].dim() else 0) for part in zip(*keys, strict=True)
    )
    logits = q @ mean.transpose(-1, -2) / q.shape[-1] ** 0.5 + log_weight
    for group in channel_groups(q.shape[-1], frequencies):
        shared = variance[..., group].mean(-1)[:, None]
        logits = logits + q[..., group].square().sum(-1).mean(-1)[:, None, None] * shared / (2 * q.shape[-1])
    return logits.softmax(-1) @ value
