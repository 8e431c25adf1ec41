"""The preview: the same view of the scene as the path tracer's."""

import subprocess
import sys

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.truth import PathTracer, RasterPreview
from tests.support.surfaces import camera, material, quad, scene


def two_squares() -> object:
    """A red square at the right, a green one above, under a light behind the camera; one of them faces away."""
    red = quad((0.4, 0, 0), (0.15, 0, 0), (0, 0, 0.15), material(2, (0.9, 0.0, 0.0)))
    green = quad((0, 0, 0.4), (0, 0, 0.15), (0.15, 0, 0), material(2, (0.0, 0.9, 0.0)))
    light = quad((0, -3, 0), (0.2, 0, 0), (0, 0, 0.2), material(2, emission=(200.0,) * 3))
    return scene([red, green, light], [camera((0.3, -2, 0.2), (0, 0, 0))], 45.0)


def test_shapes_and_colours_are_where_the_path_tracer_sees_them() -> None:
    squares = two_squares()
    try:
        preview = RasterPreview().render(squares, 128)
    except InputError as error:
        pytest.skip(str(error))
    truth = PathTracer(64, denoise=False).render(squares, 128)
    assert preview.shape == truth.shape
    for channel in (0, 1):
        seen, there = (image[0, ..., channel] > 0.05 for image in (preview, truth))
        assert (seen & there).sum() > 0.9 * (seen | there).sum() > 20


def test_without_opengl_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrender", None)
    with pytest.raises(InputError, match="libegl1"):
        RasterPreview().render(two_squares(), 8)


def test_unlit_scenes_are_not_black() -> None:
    dark = scene(
        [quad((0, 0, 0), (0.5, 0, 0), (0, 0, 0.5), material(2, (0.8,) * 3))], [camera((0, -2, 0), (0, 0, 0))], 20.0
    )
    try:
        image = RasterPreview().render(dark, 8)
    except InputError as error:
        pytest.skip(str(error))
    assert np.all(image > 0.02)


def test_an_optimiser_can_be_made_after_a_preview() -> None:
    """In a process of its own, which a clash between the LLVMs of Mesa and Triton would end."""
    code = """if True:
        from rfcli.errors import InputError
        from rfcli.truth import RasterPreview
        from tests.truth.test_raster_preview import two_squares
        try:
            RasterPreview().render(two_squares(), 8)
        except InputError:
            pass
        import torch
        torch.optim.AdamW([torch.zeros(1, requires_grad=True)]).step()
        import torch._dynamo
    """
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
