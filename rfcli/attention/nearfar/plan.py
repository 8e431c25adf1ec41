"""What near-far attention works out once per scene: the tree over its triangles, and the keys of each block."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rfcli.attention.nearfar.frontier import Nodes, choose_nodes
from rfcli.attention.nearfar.tree import balanced_order, sums_over_nodes

BLOCK = 512  # queries that share their keys: fewer blocks gather less, and 128 came no closer to softmax
LARGEST_CLUSTER = 128  # triangles of the smallest nodes, at most
NEIGHBOURHOOD = 8  # the smallest clusters hold about 1 / (8 K) of the triangles
FEATURE_WEIGHT = 0.25  # of the variance of normals and colours beside that of positions
TINY = 1e-9
MULTIPLE = 16  # of rows a block reads: products of other widths run up to a tenth slower
NOTHING = -1e30  # log of a weight of zero, still finite, so that its products with zero are zero


@dataclass(frozen=True)
class ScenePlan:
    """One scene: N triangles in the tree, at P places (N rounded up to whole blocks); M nodes; E exact tokens.

    exact   [E] tokens that every query reads and that are never pooled: registers and emitters.
    order   [P] the token at each place; places from `count` on are empty and hold a stand-in.
    count   N.
    smallest  places of the smallest nodes that are keys, a power of two.
    within  [P] each place's share of the weight of its smallest node.
    levels  where the nodes of each level stand among the M, from the smallest up to the root.
    shares  of merging each level's nodes into the next: [n, 1] the left one's share of their weight.
    rows    [P / 512, L] int32, the keys of each block in rising order: nodes 0 .. M - 1, M + e for exact token e, and
            M + E, which is no key, in slots that are left over. L is E + K rounded up to a multiple of 16.
    log_weight [M + E + 1] of each of these rows; NOTHING for those that hold no triangle.
    """

    exact: Tensor
    order: Tensor
    count: int
    smallest: int
    within: Tensor
    levels: list[slice]
    shares: list[Tensor]
    rows: Tensor
    log_weight: Tensor

    @property
    def nodes(self) -> int:
        """M."""
        return int(self.levels[-1].stop)


def plan_scene(features: Tensor, pooled: Tensor, exact: Tensor, log_weight: Tensor, keys: int) -> ScenePlan:
    """The plan of one scene of T tokens.

    features [T, F]: position, then whatever else makes triangles alike, scaled so that a difference of 1 counts as
    much as one of half the scene's extent in position. pooled, exact [T] bool: tokens of the tree, and the exact
    ones. log_weight [T] of the tokens as keys. keys: K, nodes that a block may read.
    """
    tokens = pooled.nonzero()[:, 0]
    count = len(tokens)
    smallest = smallest_cluster(count, keys)
    described = features[tokens].float()
    extent = (described[:, :3].amax(0) - described[:, :3].amin(0)).max() / 2
    described[:, :3] /= extent.clamp_min(TINY)
    order = balanced_order(described, smallest)

    empty = -count % BLOCK
    place = torch.nn.functional.pad(order, (0, empty))
    filled = torch.nn.functional.pad(torch.ones_like(order, dtype=torch.float32), (0, empty))
    log_mean = log_weight[tokens].logsumexp(0) - math.log(count)
    weight = (log_weight[tokens][place] - log_mean).exp() * filled

    described = described[place]
    nodes, total = _describe_nodes(described, weight, filled, smallest)
    centre, radius = _describe_blocks(described, filled)
    chosen = choose_nodes(nodes, centre, radius, keys)

    front = exact.nonzero()[:, 0]
    spare = len(total) + len(front)
    front_rows = torch.arange(len(total), spare, device=chosen.device).expand(len(chosen), -1)
    rows = torch.cat([torch.where(chosen < 0, spare, chosen), front_rows], 1)
    rows = torch.nn.functional.pad(rows, (0, -rows.shape[1] % MULTIPLE), value=spare)
    log_total = torch.cat([total.log() + log_mean, log_weight[front], log_weight.new_full((1,), NOTHING)])
    ends = [*nodes.starts[1:], len(total)]
    return ScenePlan(
        exact=front,
        order=tokens[place],
        count=count,
        smallest=smallest,
        within=_share_within(weight.view(-1, smallest)).flatten(),
        levels=[slice(start, end) for start, end in zip(nodes.starts, ends, strict=True)],
        shares=_left_shares(weight.view(-1, smallest).sum(1)),
        rows=rows.int().sort(1).values,  # rows that lie together are gathered in half the time
        log_weight=log_total.clamp_min(NOTHING),
    )


def smallest_cluster(count: int, keys: int) -> int:
    """Triangles of the smallest nodes: a power of two, 1 .. 128. Finer ones would be built and hardly be read."""
    return min(LARGEST_CLUSTER, 1 << max(0, (count // (NEIGHBOURHOOD * keys)).bit_length() - 1))


def _share_within(weight: Tensor) -> Tensor:
    """[n, S] of its row's sum; alike where that is 0."""
    whole = weight.sum(1, keepdim=True)
    return torch.where(whole > 0, weight / whole.clamp_min(torch.finfo(whole.dtype).tiny), 1 / weight.shape[1])


def _left_shares(weight: Tensor) -> list[Tensor]:
    """[n, 1] for the n nodes of each level above those that weigh `weight`: the left child's share of theirs."""
    sums = sums_over_nodes(weight[:, None])
    return [_share_within(halves.view(-1, 2))[:, :1] for halves in sums[:-1]]


def _describe_nodes(features: Tensor, weight: Tensor, filled: Tensor, smallest: int) -> tuple[Nodes, Tensor]:
    """The nodes as `choose_nodes` wants them, and the weight of each. features [P, F]; weight, filled [P]."""
    axes = features.shape[1]
    columns = [filled[:, None], weight[:, None], weight[:, None] * features, weight[:, None] * features.square()]
    levels = sums_over_nodes(torch.cat(columns, 1).view(-1, smallest, 2 + 2 * axes).sum(1))
    holds, total, first, second = torch.split(torch.cat(levels), [1, 1, axes, axes], 1)
    mean = first / total.clamp_min(TINY)
    variance = (second / total.clamp_min(TINY) - mean.square()).clamp_min(0)
    spread = total[:, 0] * (variance[:, :3].sum(1) + FEATURE_WEIGHT * variance[:, 3:].sum(1) + TINY)
    spread[holds[:, 0] == 0] = -1
    spread[: len(levels[0])] = -1
    starts = [0]
    for level in levels[:-1]:
        starts.append(starts[-1] + len(level))
    return Nodes(starts, holds[:, 0] > 0, mean[:, :3].contiguous(), spread), total[:, 0]


def _describe_blocks(features: Tensor, filled: Tensor) -> tuple[Tensor, Tensor]:
    """Centre [Q, 3] and root mean square radius [Q] of each block of queries, all of which count alike."""
    position, filled = features[:, :3].view(-1, BLOCK, 3), filled.view(-1, BLOCK, 1)
    number = filled.sum(1)
    centre = (position * filled).sum(1) / number
    squared = ((position - centre[:, None]) * filled).square().sum((1, 2)) / number[:, 0]
    return centre, squared.sqrt()
