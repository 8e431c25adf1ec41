"""`rf view`: a page in the browser that shows a scene, its light and materials, and compares renderers."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from rfcli.errors import InputError
from rfcli.runtime.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from rfcli.viewer.viewer import Viewer

__all__ = ["Viewer"]

__getattr__ = lazy_attributes(__name__, {"Viewer": "viewer"})


def check_viser() -> None:
    """Raises InputError without viser, which makes the page."""
    if find_spec("viser") is None:
        raise InputError("The viewer needs viser; pip install 'rfcli[view]'.")
