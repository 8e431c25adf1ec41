"""Compiled views are the same views."""

import shutil

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import render
from rfcli.model.rendering import COMPILERS, compile_views
from tests.model.scenes import cameras, random_batch, small_model


@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="torch.compile needs a C++ compiler")
def test_compiled_views_are_the_same() -> None:
    model, batch = small_model(), random_batch(triangles=9)
    c2w, fov = cameras(views=3)
    plain, compiled = [], []
    for images in (plain, compiled):
        images.append(render(model, batch.triangles, batch.vn, c2w, fov, material=batch.material, resolution=16))
        compile_views(model)
    torch.testing.assert_close(compiled[0], plain[0], rtol=1e-4, atol=1e-4)
    assert model.view_transformer._compiled_call_impl is not None


def test_without_a_compiler_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfcli.model.rendering.shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"--compile needs a C\+\+ compiler"):
        compile_views(small_model())
