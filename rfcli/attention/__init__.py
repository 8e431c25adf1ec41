"""Attention mechanisms behind one interface; `registry.py` lists them.

Importing this package does not import torch.
"""

from typing import TYPE_CHECKING, Any

from rfcli.attention.mechanism import LayerSpec, Mechanism, Option
from rfcli.attention.registry import SOFTMAX, WINDOW, create, find_mechanism, mechanisms, names

if TYPE_CHECKING:
    from rfcli.attention.context import Context
    from rfcli.attention.layer import AttentionLayer

__all__ = [
    "SOFTMAX",
    "WINDOW",
    "AttentionLayer",
    "Context",
    "LayerSpec",
    "Mechanism",
    "Option",
    "create",
    "find_mechanism",
    "mechanisms",
    "names",
]


def __getattr__(name: str) -> Any:
    if name == "AttentionLayer":
        from rfcli.attention.layer import AttentionLayer

        return AttentionLayer
    if name == "Context":
        from rfcli.attention.context import Context

        return Context
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
