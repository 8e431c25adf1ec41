"""Plots of a study: figures, contact sheet and HTML report, drawn from its results."""

from typing import TYPE_CHECKING

from rfcli.runtime.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from rfcli.study.plots.figures import draw_comparison, draw_cost, draw_quality
    from rfcli.study.plots.grid import draw_grid
    from rfcli.study.plots.outputs import write_outputs
    from rfcli.study.plots.report import write_report

__all__ = ["draw_comparison", "draw_cost", "draw_grid", "draw_quality", "write_outputs", "write_report"]

_MODULES = {
    **dict.fromkeys(("draw_comparison", "draw_cost", "draw_quality"), "figures"),
    "draw_grid": "grid",
    "write_outputs": "outputs",
    "write_report": "report",
}


# The command line imports `axes`, which must not import torch
__getattr__ = lazy_attributes(__name__, _MODULES)
