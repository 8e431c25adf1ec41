"""The preview shows the same view as the path tracer."""

import subprocess
import sys

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.truth import PathTracer, RasterPreview
from tests.support.surfaces import camera, material, quad, scene


def two_squares() -> object:
    """A red square on the right, a green one above, one of them facing away, with a light behind the camera."""
    red = quad((0.4, 0, 0), (0.15, 0, 0), (0, 0, 0.15), material(2, (0.9, 0.0, 0.0)))
    green = quad((0, 0, 0.4), (0, 0, 0.15), (0.15, 0, 0), material(2, (0.0, 0.9, 0.0)))
    light = quad((0, -3, 0), (0.2, 0, 0), (0, 0, 0.2), material(2, emission=(200.0,) * 3))
    return scene([red, green, light], [camera((0.3, -2, 0.2), (0, 0, 0))], 45.0)


def test_preview_covers_the_same_pixels_as_the_path_tracer() -> None:
    squares = two_squares()
    try:
        preview = RasterPreview().render(squares, 128)
    except InputError as error:
        pytest.skip(str(error))
    truth = PathTracer(64, denoise=False).render(squares, 128)
    assert preview.shape == truth.shape
    for channel in (0, 1):
        shown, expected = (image[0, ..., channel] > 0.05 for image in (preview, truth))
        assert (shown & expected).sum() > 0.9 * (shown | expected).sum() > 20


def test_error_without_opengl_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrender", None)
    with pytest.raises(InputError, match="libegl1"):
        RasterPreview().render(two_squares(), 8)


def test_scene_without_lights_is_not_black() -> None:
    dark = scene(
        [quad((0, 0, 0), (0.5, 0, 0), (0, 0, 0.5), material(2, (0.8,) * 3))], [camera((0, -2, 0), (0, 0, 0))], 20.0
    )
    try:
        image = RasterPreview().render(dark, 8)
    except InputError as error:
        pytest.skip(str(error))
    assert np.all(image > 0.02)


@pytest.mark.slow
def test_optimizer_can_be_created_after_a_preview() -> None:
    """In a separate process, which a conflict between the LLVMs of Mesa and Triton would crash."""
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
