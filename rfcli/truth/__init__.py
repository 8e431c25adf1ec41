"""Ground truth: what the light in a scene really does."""

from rfcli.truth.path_tracer import PathTracer
from rfcli.truth.raster_preview import RasterPreview
from rfcli.truth.renderer import TruthRenderer

__all__ = ["PathTracer", "RasterPreview", "TruthRenderer"]
