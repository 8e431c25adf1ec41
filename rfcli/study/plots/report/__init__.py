"""report.html: a study as one self-contained HTML page that needs no network."""

from rfcli.study.plots.report.page import write_report

__all__ = ["write_report"]
