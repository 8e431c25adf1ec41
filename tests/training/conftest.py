"""What all tests of training presuppose."""

import pytest
import torch


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which format is faster is measured, and a measurement can turn out otherwise the next time."""
    monkeypatch.setattr("rfcli.training.run.fastest_precision", lambda device: torch.float32)
