"""Packages whose names are imported on first use, so that importing the package costs nothing (PEP 562)."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_attributes(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package.

    Args:
        package: `__name__` of the package.
        modules: The module of the package, relative to it, that defines each name.

    Returns:
        A function that imports the module of a name and returns its value, or raises AttributeError.
    """

    def attribute(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return attribute
