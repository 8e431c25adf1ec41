"""Fixtures for all tests of training."""

import pytest
import torch


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fastest format is measured, so it could differ between runs."""
    monkeypatch.setattr("rfcli.training.run.fastest_precision", lambda device: torch.float32)
