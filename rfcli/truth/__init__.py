"""Ground truth: reference images of scenes, by path tracing, and a fast raster preview.

Each name below is imported on first use: the preview does not need Mitsuba, nor the path tracer OpenGL.
"""

from typing import TYPE_CHECKING

from rfcli.runtime.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from rfcli.truth.path_tracer import PathTracer
    from rfcli.truth.raster_preview import RasterPreview
    from rfcli.truth.renderer import TruthRenderer

__all__ = ["PathTracer", "RasterPreview", "TruthRenderer"]

_MODULES = {"PathTracer": "path_tracer", "RasterPreview": "raster_preview", "TruthRenderer": "renderer"}


__getattr__ = lazy_attributes(__name__, _MODULES)
