"""Fixtures for tests of the command line: a model that renders in milliseconds, a scene, and a runner."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from rfcli.cli.app import app
from rfcli.model import RenderFormer, save_checkpoint
from rfcli.scene import TriangleScene, save
from tests.support.small_model import SMALL

Rf = Callable[..., Result]


@pytest.fixture
def rf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rf:
    """`rf("render", ...)` in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="rf")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights."""
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    save_checkpoint(RenderFormer(SMALL), folder, "random weights")
    return folder


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty triangles, one of which emits, and two cameras."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(-0.4, 0.4, (20, 1, 3)) + rng.uniform(-0.1, 0.1, (20, 3, 3))
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    material = np.tile([0.5, 0.4, 0.3, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 1.0, 0, 0, 0], (20, 1))
    material[0, 10:] = 100.0
    c2w = np.tile(np.eye(4), (2, 1, 1))
    c2w[:, 2, 3] = (1.8, 2.0)
    path = tmp_path_factory.mktemp("scene") / "heap.h5"
    save(TriangleScene(corners, np.repeat(normals[:, None], 3, 1), material, c2w, np.array([40.0, 40.0])), path)
    return path
