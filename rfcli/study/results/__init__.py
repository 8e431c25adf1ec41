"""Results of a study: measurements, fits, tables, image quality, files, and the comparison of two studies."""

from rfcli.study.results.comparison import Difference, differences
from rfcli.study.results.files import Results, read_results
from rfcli.study.results.fits import crossing_intervals, crossings, growth
from rfcli.study.results.measurement import Measurement, Sample
from rfcli.study.results.quality import QualityMean, QualityRow, scene_means
from rfcli.study.results.tables import Row, render_rows, stage_rows

__all__ = [
    "Difference",
    "Measurement",
    "QualityMean",
    "QualityRow",
    "Results",
    "Row",
    "Sample",
    "crossing_intervals",
    "crossings",
    "differences",
    "growth",
    "read_results",
    "render_rows",
    "scene_means",
    "stage_rows",
]
