"""The study: time, memory and quality of pictures against triangle count, per attention mechanism."""

from rfcli.study.quality import QualityRow
from rfcli.study.results.files import Results
from rfcli.study.results.tables import Row
from rfcli.study.settings import QualitySettings, StudySettings
from rfcli.study.study import Study, Watch, run_study

__all__ = ["QualityRow", "QualitySettings", "Results", "Row", "Study", "StudySettings", "Watch", "run_study"]
