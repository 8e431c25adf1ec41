"""The study: time, memory and image quality against triangle count, for each attention mechanism."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfcli.study.quality import QualityRow
    from rfcli.study.results.files import Results
    from rfcli.study.results.tables import Row
    from rfcli.study.settings import QualitySettings, StudySettings
    from rfcli.study.study import Study, Watch, run_study

__all__ = ["QualityRow", "QualitySettings", "Results", "Row", "Study", "StudySettings", "Watch", "run_study"]

_MODULES = {
    "QualityRow": "quality",
    "QualitySettings": "settings",
    "Results": "results.files",
    "Row": "results.tables",
    "Study": "study",
    "StudySettings": "settings",
    "Watch": "study",
    "run_study": "study",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the command line reads `rfcli.study.plots.axes` and must not import torch for it."""
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
