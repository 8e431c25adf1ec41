"""Scenes of a study: random triangles, and scenes tessellated or decimated to any triangle count."""

from typing import TYPE_CHECKING

from rfcli.runtime.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from rfcli.study.scenes.own_scene import OwnScene, load_own_scene
    from rfcli.study.scenes.random_triangles import random_triangle_batch, random_triangle_camera
    from rfcli.study.scenes.series import SceneSeries, own_series, synthetic_series
    from rfcli.study.scenes.tessellation import tessellated

__all__ = [
    "OwnScene",
    "SceneSeries",
    "load_own_scene",
    "own_series",
    "random_triangle_batch",
    "random_triangle_camera",
    "synthetic_series",
    "tessellated",
]

_MODULES = {
    **dict.fromkeys(("OwnScene", "load_own_scene"), "own_scene"),
    **dict.fromkeys(("random_triangle_batch", "random_triangle_camera"), "random_triangles"),
    **dict.fromkeys(("SceneSeries", "own_series", "synthetic_series"), "series"),
    "tessellated": "tessellation",
}


# Meshes and the path tracer take seconds to import
__getattr__ = lazy_attributes(__name__, _MODULES)
