"""RenderFormer-V2: what it has more than V1. Start at `renderformer.py`; README.md has the files."""

from typing import TYPE_CHECKING

from rfcli.runtime.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from rfcli.model.v2.batch import V2Batch
    from rfcli.model.v2.config import RenderFormerV2Config
    from rfcli.model.v2.renderformer import RenderFormerV2, network_output
    from rfcli.model.v2.scene_encoder import SceneEncoder, read_scene_encoder
    from rfcli.model.v2.volumes import Cloud

__all__ = [
    "Cloud",
    "RenderFormerV2",
    "RenderFormerV2Config",
    "SceneEncoder",
    "V2Batch",
    "network_output",
    "read_scene_encoder",
]

_MODULES = {
    "V2Batch": "batch",
    "RenderFormerV2Config": "config",
    "RenderFormerV2": "renderformer",
    "network_output": "renderformer",
    "SceneEncoder": "scene_encoder",
    "read_scene_encoder": "scene_encoder",
    "Cloud": "volumes",
}

__getattr__ = lazy_attributes(__name__, _MODULES)
