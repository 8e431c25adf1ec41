"""Datasets on disk: writing, reading, splitting."""

from rfcli.dataset.sample import Sample, read_sample, write_sample

__all__ = ["Sample", "read_sample", "write_sample"]
