"""Slow dense implementations of all mechanisms in float64, written from the formulas, to compare the layers with."""

import math
from typing import Any

import torch
from torch import Tensor

from rfcli.attention import AttentionLayer, Context
from rfcli.attention.emitter_clusters import SceneKeys
from rfcli.attention.hilbert import hilbert_order
from rfcli.attention.nearfar.plan import BLOCK, ScenePlan


def reference(
    name: str, options: dict[str, Any], layer: AttentionLayer, q: Tensor, k: Tensor, v: Tensor, context: Context
) -> Tensor:
    """The output of a layer of mechanism `name` with `options`; q, k, v [B, H, N, D] in float64."""
    if name == "sdpa":
        return dense_softmax(q, k, v, context.key_bias())
    if name == "performer" and options.get("feature_map") == "favor":
        return dense_favor(q, k, v, layer.directions.double(), context.key_bias())
    if name == "performer":
        return dense_learned(q, k, v, layer, context)
    if name == "hedgehog":
        return dense_hedgehog(q, k, v, layer, context)
    if name == "window":
        return dense_window(q, k, v, context, options.get("half_window", 256))
    assert name == "nearfar", f"write a reference of {name}"
    return dense_near_far(q, k, v, context, frequencies=min(6, q.shape[-1] // 18))


def dense_softmax(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """softmax(q k^T / sqrt(D) + bias) v with all N x N logits; bias [B, N]."""
    logits = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
    if bias is not None:
        logits = logits + bias[:, None, None, :].to(logits)
    weights = torch.exp(logits - logits.amax(-1, keepdim=True))
    return torch.einsum("bhij,bhjd->bhid", weights / weights.sum(-1, keepdim=True), v)


def dense_favor(q: Tensor, k: Tensor, v: Tensor, directions: Tensor, bias: Tensor | None) -> Tensor:
    """The FAVOR+ kernel sum_f phi_f(q_i) phi_f(k_j) as an N x N matrix of logarithms, then normalised.

    The kernel is not factored, so the result does not depend on the order of sums or on running maxima.
    """
    scale = q.shape[-1] ** -0.25
    log_q = torch.einsum("bhid,hfd->bhif", q * scale, directions) - (q * scale).square().sum(-1, keepdim=True) / 2
    log_k = torch.einsum("bhjd,hfd->bhjf", k * scale, directions) - (k * scale).square().sum(-1, keepdim=True) / 2
    kernel = sum_over_features(log_q, log_k)
    if bias is not None:
        kernel = kernel + bias[:, None, None, :].to(kernel)
    return torch.einsum("bhij,bhjd->bhid", kernel.softmax(-1), v)


def sum_over_features(log_q: Tensor, log_k: Tensor) -> Tensor:
    """log sum_f exp(log_q + log_k) [B, H, N, N], a few queries at a time: a query needs N x m numbers."""
    parts = log_q.split(max(1, 2**23 // log_k[0, 0].numel()), 2)
    return torch.cat([torch.logsumexp(part[:, :, :, None] + log_k[:, :, None], -1) for part in parts], 2)


def dense_learned(q: Tensor, k: Tensor, v: Tensor, layer: AttentionLayer, context: Context) -> Tensor:
    """Softmax over b - log m + log sum_f exp(r_f . q' + s_f . k' - |q'|^2 / 2 - |k'|^2 / 2).

    x' = x / (2 D^(1/4)); r, s: the layer's directions times sqrt(D); b = 1 + 10 balance. Exact keys: q . k / sqrt(D).
    """
    scale, root = q.shape[-1] ** -0.25 / 2, q.shape[-1] ** 0.5
    log_q, log_k = (
        torch.einsum("bhid,hfd->bhif", x * scale, rows.double() * root) - (x * scale).square().sum(-1, keepdim=True) / 2
        for x, rows in ((q, layer.query_directions), (k, layer.key_directions))
    )
    kernel = sum_over_features(log_q, log_k)
    kernel = kernel + 1 + 10 * layer.balance.double()[:, None, None] - math.log(layer.query_directions.shape[1])
    return softmax_with_exact_keys(kernel, q, k, v, context)


def dense_hedgehog(q: Tensor, k: Tensor, v: Tensor, layer: AttentionLayer, context: Context) -> Tensor:
    """The kernel e^b D / 2 phi(q) . phi(k), phi(x) = [softmax(W x), softmax(-W x)], b = 1 + 10 balance.

    Exact keys: exp(q . k / sqrt(D)).
    """

    def features(x: Tensor, weight: Tensor) -> Tensor:
        projected = torch.einsum("bhid,hfd->bhif", x, weight.double())
        return torch.cat([projected.softmax(-1), (-projected).softmax(-1)], -1)

    kernel = torch.einsum("bhif,bhjf->bhij", features(q, layer.query_map), features(k, layer.key_map)).log()
    kernel = kernel + (1 + 10 * layer.balance.double() + math.log(q.shape[-1] / 2))[:, None, None]
    return softmax_with_exact_keys(kernel, q, k, v, context)


def softmax_with_exact_keys(kernel: Tensor, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
    """Softmax over log kernels [B, H, N, N], with q . k / sqrt(D) for keys that are registers or emitters.

    With a plan these are replaced by its exact keys, some of which are clusters of emitters.
    """
    logits = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
    exact = torch.zeros(len(q), k.shape[2], dtype=torch.bool) if context.emitters is None else context.emitters.clone()
    exact[:, : context.registers] = True
    kernel = torch.where(exact[:, None, None], logits, kernel)
    bias = context.key_bias()
    if bias is not None:
        kernel = kernel + bias[:, None, None, :].to(kernel)
    if context.plan is None:
        return torch.einsum("bhij,bhjd->bhid", kernel.softmax(-1), v)
    log_weight = torch.zeros(exact.shape) if context.log_weight is None else context.log_weight
    scenes = []
    for scene, plan in enumerate(context.plan):
        keys = [_pooled(k[scene], v[scene], log_weight[scene].double(), tokens) for tokens in exact_members(plan)]
        weights, means, _, values = (torch.stack(part, -2 if part[0].dim() else 0) for part in zip(*keys, strict=True))
        others = kernel[scene].masked_fill(exact[scene], float("-inf"))
        all_logits = torch.cat([others, q[scene] @ means.mT / q.shape[-1] ** 0.5 + weights], -1)
        scenes.append(all_logits.softmax(-1) @ torch.cat([v[scene], values], 1))
    return torch.stack(scenes)


def exact_members(keys: SceneKeys) -> list[list[int]]:
    """The tokens of every exact key."""
    rows: list[list[int]] = [[] for _ in keys.log_weight]
    for token, row in zip(keys.tokens.tolist(), keys.key.tolist(), strict=True):
        rows[row].append(token)
    return rows


def dense_near_far(q: Tensor, k: Tensor, v: Tensor, context: Context, frequencies: int) -> Tensor:
    """Softmax of each query over the keys of its block in the plan; clusters are computed from their triangles."""
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
        out = torch.zeros_like(q[scene]).index_copy(1, plan.exact_queries, exact[scene][:, plan.exact_queries])
        table = _keys(k[scene], v[scene], log_weight[scene].double(), plan)
        for block, rows in enumerate(plan.key_rows.tolist()):
            used = [row for row in rows if row < len(table)]
            tokens = plan.order[block * BLOCK : min((block + 1) * BLOCK, plan.queries)]
            out = out.index_copy(1, tokens, _attend(q[scene][:, tokens], [table[row] for row in used], frequencies))
        scenes.append(out)
    return torch.stack(scenes)


def dense_window(q: Tensor, k: Tensor, v: Tensor, context: Context, half_window: int) -> Tensor:
    """Softmax under the N x N mask of the window along the Hilbert curve and of the sinks."""
    assert context.features is not None
    batch, tokens, _ = context.features.shape
    real = torch.ones(batch, tokens, dtype=torch.bool) if context.key_mask is None else context.key_mask
    sinks = torch.zeros_like(real) if context.emitters is None else context.emitters.clone()
    sinks[:, : context.registers] = True
    if context.summaries is not None:
        sinks |= context.summaries
    rank = torch.zeros(batch, tokens)
    for scene in range(batch):
        others = (real & ~sinks)[scene].nonzero()[:, 0]
        rank[scene, others[hilbert_order(context.features[scene, others, :3])]] = torch.arange(float(len(others)))
    near = (rank[:, :, None] - rank[:, None]).abs() <= half_window
    seen = (near | sinks[:, :, None] | sinks[:, None]) & real[:, None]
    seen |= torch.eye(tokens, dtype=torch.bool)  # padding sees itself, so that its rows are finite
    logits = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
    if context.log_weight is not None:
        logits = logits + context.log_weight[:, None, None].to(logits)
    return logits.masked_fill(~seen[:, None], float("-inf")).softmax(-1) @ v * real[:, None, :, None]


def members(plan: ScenePlan) -> list[list[int]]:
    """The tokens of every row of the key table: nodes by level, each level except the root's of even length."""
    tokens = plan.order[: plan.count].tolist()
    rows, size, nodes = [], plan.leaf_size, len(plan.order) // plan.leaf_size
    while True:
        nodes += nodes % 2 if nodes > 1 else 0
        rows += [tokens[i * size : (i + 1) * size] for i in range(nodes)]
        if nodes == 1:
            return rows + exact_members(plan.exact)
        size, nodes = 2 * size, nodes // 2


def channels_by_group(dim: int, frequencies: int) -> list[list[int]]:
    """The channels that RoPE rotates with one frequency along one axis, then those that it does not rotate."""
    half = dim // 2
    groups: dict[tuple[int, int], list[int]] = {}
    for pair in range(half):
        rotated = pair < 9 * frequencies
        name = (pair % frequencies, pair // frequencies % 3) if rotated else (-1, -1)
        groups.setdefault(name, []).extend([pair, pair + half])
    return list(groups.values())


Key = tuple[Tensor, Tensor, Tensor, Tensor]  # log weight [], mean key, variance per channel and mean value [H, D]


def _keys(k: Tensor, v: Tensor, log_weight: Tensor, plan: ScenePlan) -> list[Key | None]:
    keys: list[Key | None] = []
    for tokens in members(plan):
        if not tokens:
            keys.append(None)
            continue
        keys.append(_pooled(k, v, log_weight, tokens, variance=len(keys) < plan.nodes))
    return keys


def _pooled(k: Tensor, v: Tensor, log_weight: Tensor, tokens: list[int], variance: bool = True) -> Key:
    """Some tokens as one key; k, v [H, N, D]. The variance of clusters of emitters is neglected."""
    weight = log_weight[tokens].exp()[:, None]
    mean = (weight * k[:, tokens]).sum(1) / weight.sum()
    squares = (weight * (k[:, tokens] - mean[:, None]) ** 2).sum(1) / weight.sum()
    value = (weight * v[:, tokens]).sum(1) / weight.sum()
    return weight.sum().log(), mean, squares if variance else torch.zeros_like(mean), value


def _attend(q: Tensor, keys: list[Key | None], frequencies: int) -> Tensor:
    """Attention of the queries q [H, n, D] of a block to some keys; squared queries are replaced by their mean."""
    assert all(key is not None for key in keys)
    log_weight, mean, variance, value = (
        torch.stack(part, -2 if part[0].dim() else 0) for part in zip(*keys, strict=True)
    )
    logits = q @ mean.transpose(-1, -2) / q.shape[-1] ** 0.5 + log_weight
    for group in channels_by_group(q.shape[-1], frequencies):
        shared = variance[..., group].mean(-1)[:, None]
        logits = logits + q[..., group].square().sum(-1).mean(-1)[:, None, None] * shared / (2 * q.shape[-1])
    return logits.softmax(-1) @ value
