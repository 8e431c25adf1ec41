"""report.html: the study as one page that needs no network."""

from rfcli.study.plots.report.page import write_report

__all__ = ["write_report"]
