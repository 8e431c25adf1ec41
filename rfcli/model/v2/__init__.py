"""RenderFormer-V2: what it has more than V1. Start at `renderformer.py`; README.md has the files."""

from typing import TYPE_CHECKING

from rfcli.runtime.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from rfcli.model.v2.batch import V2Batch
    from rfcli.model.v2.config import RenderFormerV2Config
    from rfcli.model.v2.renderformer import RenderFormerV2, network_output

__all__ = ["RenderFormerV2", "RenderFormerV2Config", "V2Batch", "network_output"]

_MODULES = {
    "V2Batch": "batch",
    "RenderFormerV2Config": "config",
    "RenderFormerV2": "renderformer",
    "network_output": "renderformer",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
