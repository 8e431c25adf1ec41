"""The study: time, memory and image quality against triangle count, for each attention mechanism."""

from typing import TYPE_CHECKING

from rfcli.runtime.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from rfcli.study.quality import QualityModel, quality_models
    from rfcli.study.results import QualityRow, Results, Row, read_results
    from rfcli.study.settings import QualitySettings, StudySettings
    from rfcli.study.study import ProgressCallbacks, Study, run_study

__all__ = [
    "ProgressCallbacks",
    "QualityModel",
    "QualityRow",
    "QualitySettings",
    "Results",
    "Row",
    "Study",
    "StudySettings",
    "quality_models",
    "read_results",
    "run_study",
]

_MODULES = {
    **dict.fromkeys(("QualityModel", "quality_models"), "quality"),
    **dict.fromkeys(("QualityRow", "Results", "Row", "read_results"), "results"),
    **dict.fromkeys(("QualitySettings", "StudySettings"), "settings"),
    **dict.fromkeys(("ProgressCallbacks", "Study", "run_study"), "study"),
}


# The command line imports `plots.axes`, which must not import torch
__getattr__ = lazy_attributes(__name__, _MODULES)
