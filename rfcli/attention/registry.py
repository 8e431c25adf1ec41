"""Attention mechanisms by name: our own, and those that other packages declare as entry points."""

from __future__ import annotations

import contextlib
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from rfcli.attention.mechanism import LayerSpec, Mechanism, Option
from rfcli.errors import InputError

if TYPE_CHECKING:
    from rfcli.attention.layer import AttentionLayer

ENTRY_POINT_GROUP = "rfcli.attention"  # NAME = "package.module:variable"; the variable is a Mechanism called NAME
SOFTMAX = "sdpa"  # exact softmax attention, the default; named after torch's scaled_dot_product_attention
WINDOW = "window"  # the attention of RenderFormer-V2

OWN_MECHANISMS = (
    Mechanism(
        name=SOFTMAX,
        layer="rfcli.attention.sdpa:SoftmaxAttention",
        summary="Exact softmax attention.",
        cost="N^2",
        needs_training=False,
    ),
    Mechanism(
        name="performer",
        layer="rfcli.attention.favor:performer_layer",
        summary="Linear attention with exponential features; registers and emitters are attended exactly.",
        cost="N",
        needs_training=True,
        splits_over_processes=True,
        takes_output_buffer=True,
        options=(
            Option(
                "feature_map",
                str,
                "learned",
                "Features of queries and keys. favor: the random features of the paper, for all keys.",
                choices=("learned", "favor"),
            ),
            Option("features", int, 256, "Number of features per head.", minimum=1, maximum=1 << 16),
        ),
    ),
    Mechanism(
        name="hedgehog",
        layer="rfcli.attention.hedgehog:Hedgehog",
        summary="Linear attention with learned softmax features; registers and emitters are attended exactly.",
        cost="N",
        needs_training=True,
        splits_over_processes=True,
        takes_output_buffer=True,
    ),
    Mechanism(
        name="nearfar",
        layer="rfcli.attention.nearfar:NearFar",
        summary="Softmax over near triangles, clusters of far ones, registers and emitters.",
        cost="N",
        needs_training=False,
        takes_output_buffer=True,
        options=(
            Option(
                "keys",
                int,
                1024,
                "Triangles and clusters per query, besides registers and emitters; 512 draft, 2048 fine.",
                minimum=1,
                maximum=1 << 16,
            ),
        ),
    ),
    Mechanism(
        name=WINDOW,
        layer="rfcli.attention.window:WindowAttention",
        summary="Softmax over neighbours along a Hilbert curve, registers, emitters and summaries.",
        cost="N",
        needs_training=True,
        takes_output_buffer=True,
        options=(
            Option(
                "half_window",
                int,
                256,
                "Neighbours on either side along the curve that a triangle attends to.",
                minimum=0,
                maximum=1 << 16,
            ),
        ),
    ),
)
_OWN = {mechanism.name: mechanism for mechanism in OWN_MECHANISMS}


def names() -> tuple[str, ...]:
    """The names of all mechanisms.

    Returns:
        Our own in the order of the table, then those of other packages in alphabetical order.
    """
    others = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    return (*_OWN, *sorted(others - _OWN.keys()))


def find_mechanism(name: str) -> Mechanism:
    """The mechanism of this name.

    Args:
        name: One of `names()`.

    Returns:
        Its declaration. torch is not imported.

    Raises:
        InputError: There is no such mechanism, or its package cannot be loaded.
    """
    if name in _OWN:
        return _OWN[name]
    points = entry_points(group=ENTRY_POINT_GROUP, name=name)
    if not points:
        raise InputError(f"Unknown attention '{name}'; choose one of: {', '.join(names())}.")
    return _load(next(iter(points)))


def mechanisms() -> tuple[Mechanism, ...]:
    """All mechanisms.

    Returns:
        In the order of `names()`; those of packages that cannot be loaded are left out.
    """
    found = []
    for name in names():
        with contextlib.suppress(InputError):
            found.append(find_mechanism(name))
    return tuple(found)


def _load(point: EntryPoint) -> Mechanism:
    where = f"attention '{point.name}' ({point.value})"
    try:
        found = point.load()
    except Exception as error:  # the other package may raise any exception
        raise InputError(f"{where} cannot be loaded ({error}); update or remove the package.") from error
    if not isinstance(found, Mechanism) or found.name != point.name:
        raise InputError(f"{where} is not a Mechanism called '{point.name}'; update or remove the package.")
    return found


def create(
    name: str, heads: int, head_dim: int, *, index: int = 0, frequencies: int | None = None, **options: Any
) -> AttentionLayer:
    """Create an attention layer, `layer(q, k, v, context)` with q, k, v [B, H, N, D] after RoPE -> [B, H, N, D].

    Args:
        name: One of `names()`.
        heads: Number of heads H.
        head_dim: Channels per head D.
        index: Number of the layer in the model, from 0; makes random seeds differ between layers.
        frequencies: Number of RoPE frequencies that rotate queries and keys; None = unknown.
        options: The mechanism's options by name; see `find_mechanism(name).options`.

    Returns:
        The layer, an `nn.Module`.

    Raises:
        ValueError: The name is unknown, or an option has a value that is not allowed.
        TypeError: The mechanism has no such option.
    """
    return find_mechanism(name).create_layer(LayerSpec(heads, head_dim, index, frequencies), **options)
