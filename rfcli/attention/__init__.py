"""Every attention mechanism, behind one call."""

from rfcli.attention.context import Context
from rfcli.attention.registry import create, names

__all__ = ["Context", "create", "names"]
