"""What a scene is refused for wanting is what its first stage is measured to take at least.

Compiled views are the same views.
"""

import shutil
import sys
from dataclasses import replace
from multiprocessing import get_context

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, render, with_attention
from rfcli.model.rendering import COMPILERS, check_memory, compile_views, needed_bytes
from rfcli.study.measure.memory import PeakMemory
from rfcli.study.scenes.random_triangles import triangle_soup
from tests.support.model_scenes import cameras, random_batch, small_model

TRIANGLES = 1 << 15
CPU = torch.device("cpu")


def measured(attention: str) -> tuple[int, int]:
    """Bytes that one layer of the tiny model's stage takes, and those that are foretold; layers take turns."""
    model = RenderFormer(replace(with_attention(PRESETS["tiny"], attention), num_layers=1)).eval()
    with torch.no_grad():
        model.view_independent(triangle_soup(64, 0, CPU))
        scene = triangle_soup(TRIANGLES, 0, CPU)
        peak = PeakMemory(CPU)
        model.view_independent(scene)
    return peak.bytes() or 0, needed_bytes(model, TRIANGLES)


@pytest.mark.skipif(sys.platform != "linux", reason="peaks as Linux counts them")
@pytest.mark.parametrize("attention", ["performer", "nearfar"])
def test_the_stage_takes_what_is_foretold_and_not_much_more(attention: str) -> None:
    with get_context("spawn").Pool(1) as pool:
        taken, foretold = pool.apply(measured, (attention,))
    assert foretold <= taken < 4 * foretold


def test_too_little_is_a_sentence() -> None:
    check_memory(10**9, 1000, 10**9)
    with pytest.raises(InputError, match=r"2,000 triangles need more than 3\.0 GB .* 1\.0 GB are free; lower --max"):
        check_memory(3 * 10**9, 2000, 10**9)


def test_half_precision_takes_less() -> None:
    model = RenderFormer(PRESETS["tiny"])
    assert needed_bytes(model, 100, bf16=True) == 0.6 * needed_bytes(model, 100)


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
