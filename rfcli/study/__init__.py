"""The study: time and memory of the view-independent stage against triangle count, per attention mechanism."""

from rfcli.study.results import Row
from rfcli.study.settings import StudySettings
from rfcli.study.study import Study, run_study

__all__ = ["Row", "Study", "StudySettings", "run_study"]
