"""Attention mechanisms by name: ours, and those that other packages offer as entry points."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from torch import nn

from rfcli.attention.hedgehog import Hedgehog
from rfcli.attention.learned_favor import LearnedFavor
from rfcli.attention.nearfar import NearFar
from rfcli.attention.performer import Performer
from rfcli.attention.sdpa import SoftmaxAttention

ENTRY_POINTS = (
    "rfcli.attention"  # group: name = "package.module:factory", called as factory(heads, head_dim, **options)
)

Factory = Callable[..., nn.Module]


def _softmax(heads: int, head_dim: int) -> nn.Module:
    return SoftmaxAttention()


def _performer(heads: int, head_dim: int, feature_map: str = "learned", **options: Any) -> nn.Module:
    if feature_map not in FEATURE_MAPS:
        raise ValueError(f"performer has no feature map '{feature_map}'; choose one of: {', '.join(FEATURE_MAPS)}.")
    return FEATURE_MAPS[feature_map](heads, head_dim, **options)


FEATURE_MAPS: dict[str, Factory] = {"learned": LearnedFavor, "favor": Performer}  # favor: the paper's own
OURS: dict[str, Factory] = {"sdpa": _softmax, "performer": _performer, "hedgehog": Hedgehog, "nearfar": NearFar}


def names() -> tuple[str, ...]:
    """Every mechanism that `create` knows."""
    theirs = sorted(point.name for point in entry_points(group=ENTRY_POINTS))
    return (*OURS, *(name for name in theirs if name not in OURS))


def create(name: str, heads: int, head_dim: int, **options: Any) -> nn.Module:
    """A mechanism as a module: `layer(q, k, v, context)` with q, k, v [B, H, N, D] after RoPE -> [B, H, N, D].

    heads, head_dim: H and D. options: the mechanism's own (see its class). One with `takes_out` may be told, as
    `out`, of memory for its result; the model tells it of q's, which spares long scenes a tensor of that size. One with
    `sums_over_keys` can be given a part of the sequence where `context.group` has the others.
    Raises ValueError for an unknown name.
    """
    factory = OURS.get(name)
    if factory is None:
        points = entry_points(group=ENTRY_POINTS, name=name)
        if not points:
            raise ValueError(f"Unknown attention '{name}'; choose one of: {', '.join(names())}.")
        factory = next(iter(points)).load()
    return factory(heads=heads, head_dim=head_dim, **options)
