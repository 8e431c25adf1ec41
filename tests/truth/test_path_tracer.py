"""The path tracer against closed forms."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.scene import EMISSION, TriangleScene
from rfcli.truth import PathTracer
from tests.support.surfaces import Array, ball, camera, material, quad, scene

WHITE = (1.0, 1.0, 1.0)
RIGHT, UP = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def trace(world: TriangleScene, resolution: int = 16, spp: int = 64, seed: int = 0) -> Array:
    return PathTracer(spp, denoise=False, seed=seed).render(world, resolution).astype(np.float64)


@pytest.mark.parametrize(
    ("diffuse", "specular", "roughness"),
    [
        (WHITE, 0.0, 1.0),
        ((0.5, 0.3, 0.1), 0.0, 1.0),
        ((0.0, 0.0, 0.0), 1.0, 0.05),
        ((0.0, 0.0, 0.0), 1.0, 0.5),
        ((0.0, 0.0, 0.0), 1.0, 1.0),
        ((0.5, 0.3, 0.1), 0.4, 0.7),
    ],
)
def test_ball_in_a_white_furnace_has_the_radiance_of_its_albedo(
    diffuse: tuple[float, float, float], specular: float, roughness: float
) -> None:
    """From far away a ball shows each angle weighted by its cosine, so its mean is the mean albedo."""
    furnace = ball(30.0, 80, material(1, emission=WHITE))
    body = ball(0.3, 8000, material(1, diffuse, specular, roughness))
    far, half = 20.0, np.radians(0.9)
    image = trace(scene([body, furnace], [camera((0.0, -far, 0.0), (0.0, 0.0, 0.0))], 1.8), resolution=24, spp=256)[0]
    covered = np.pi * (0.3 / far) ** 2 / (2 * np.tan(half)) ** 2  # share of the image covered by the ball
    missing = (1 - image).mean(axis=(0, 1)) / covered  # the furnace around the ball has radiance 1
    assert 1 - missing == pytest.approx(np.array(diffuse) + specular, rel=0.01)


def test_small_light_follows_the_inverse_square_law() -> None:
    floor = quad((0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), material(2, (0.6, 0.4, 0.2)))
    radiance, side = 1000.0, 0.02
    for height, tilt in ((1.0, 0.0), (0.7, 0.8)):
        turned = (np.cos(tilt) * side / 2, 0.0, np.sin(tilt) * side / 2)
        light = quad((0, 0, height), turned, (0, -side / 2, 0), material(2, emission=(radiance,) * 3))
        image = trace(scene([floor, light], [camera((0, -1, 0.5), (0, 0, 0))], 1.0), resolution=4)[0]
        irradiance = radiance * side**2 * np.cos(tilt) / height**2
        expected = np.array([0.6, 0.4, 0.2]) / np.pi * irradiance
        assert image.mean(axis=(0, 1)) == pytest.approx(expected, rel=0.01)


def test_indirect_light_in_a_diffuse_sphere() -> None:
    """In a sphere of albedo a each bounce is uniform, so indirect irradiance is a / (1 - a) power / area."""
    albedo, radiance, side = 0.7, 100.0, 0.05
    wall = ball(1.0, 5120, material(1, (albedo,) * 3))
    light = quad((0, 0, 0), (side / 2, 0, 0), (0, side / 2, 0), material(2, emission=(radiance,) * 3))
    inside = scene([wall, light], [camera((0.0, 0.0, 0.3), (0.0, 0.0, 1.0))], 10.0)
    image = trace(inside, resolution=8, spp=2048)[0]
    direct = radiance * side**2  # above the light, at distance 1
    power = 2 * np.pi * radiance * side**2
    expected = albedo / np.pi * (direct + albedo / (1 - albedo) * power / (4 * np.pi))
    assert image.mean() == pytest.approx(expected, rel=0.01)


def test_patch_under_a_parallel_patch_follows_its_form_factor() -> None:
    """Irradiance at the centre below a parallel square of half side a at distance 1 (Siegel and Howell, B-4)."""
    a, radiance = 0.4, 5.0
    floor = quad((0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), material(2, (0.6, 0.4, 0.2)))
    light = quad((0, 0, 1), (a, 0, 0), (0, -a, 0), material(2, emission=(radiance,) * 3))
    image = trace(scene([floor, light], [camera((0, -1, 0.5), (0, 0, 0))], 0.5), resolution=4, spp=1024)[0]
    form_factor = 4 / np.pi * a / np.sqrt(1 + a**2) * np.arctan(a / np.sqrt(1 + a**2))
    expected = np.array([0.6, 0.4, 0.2]) * radiance * form_factor
    assert image.mean(axis=(0, 1)) == pytest.approx(expected, rel=0.01)


def lit_floor(rows: Array) -> TriangleScene:
    """A floor and one light: no light reaches the camera by two bounces."""
    floor = quad((0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), rows)
    light = quad((0.2, 0.5, 1.0), (0.1, 0, 0), (0, -0.1, 0), material(2, emission=(50.0, 40.0, 30.0)))
    return scene([floor, light], [camera((0, -1, 0.8), (0, 0, 0))], 30.0)


def test_diffuse_and_specular_lobes_add() -> None:
    diffuse = trace(lit_floor(material(2, (0.5, 0.2, 0.1))), spp=512)
    glossy = trace(lit_floor(material(2, specular=0.4, roughness=0.5)), spp=512)
    both = trace(lit_floor(material(2, (0.5, 0.2, 0.1), 0.4, 0.5)), spp=512)
    assert both.mean(axis=(0, 1, 2)) == pytest.approx((diffuse + glossy).mean(axis=(0, 1, 2)), rel=0.01)


def test_materials_are_per_triangle() -> None:
    one, other = material(1, (0.5, 0.2, 0.1), 0.4, 0.1), material(1, (0.1, 0.2, 0.8), 0.1, 0.9)
    mixed = trace(lit_floor(np.concatenate([one, other])), spp=256)[0]
    first = trace(lit_floor(np.concatenate([one, one])), spp=256)[0]
    second = trace(lit_floor(np.concatenate([other, other])), spp=256)[0]
    x, y = np.meshgrid(np.arange(16), np.arange(16))
    near_right, far_left = (x > 9) & (y > 9), (x < 5) & (y < 7)  # the diagonal runs from near left to far right
    assert mixed[near_right].mean(axis=0) == pytest.approx(first[near_right].mean(axis=0), rel=0.02)
    assert mixed[far_left].mean(axis=0) == pytest.approx(second[far_left].mean(axis=0), rel=0.02)


def test_radiance_is_linear_in_emission() -> None:
    once = lit_floor(material(2, (0.5, 0.2, 0.1), 0.4, 0.5))
    rows = once.material.copy()
    rows[:, EMISSION] *= 2
    assert trace(replace(once, material=rows)) == pytest.approx(2 * trace(once), rel=1e-5)


def test_image_axes_match_the_camera() -> None:
    """Emitting squares right of (red), above (green) and at (blue) the centre of the view."""
    pose = camera((0.4, -2.0, 0.3), (0.0, 0.0, 0.0))
    right, up, forward = pose[:3, 0], pose[:3, 1], -pose[:3, 2]
    glow = {"red": (right * 0.4, (9.0, 0, 0)), "green": (up * 0.4, (0, 9.0, 0)), "blue": (right * 0, (0, 0, 9.0))}
    eye = pose[:3, 3]
    parts = [
        quad(tuple(eye + 2 * forward + place), tuple(0.05 * right), tuple(0.05 * up), material(2, emission=color))
        for place, color in glow.values()
    ]
    image = trace(scene(parts, [pose], 40.0), resolution=32, spp=4)[0]
    for channel, (place, _) in enumerate(glow.values()):
        rows, columns = np.nonzero(image[..., channel] > 1)
        pixels_per_unit = 32 / 2 / np.tan(np.radians(20)) / 2
        assert columns.mean() + 0.5 == pytest.approx(16 + pixels_per_unit * (place @ right), abs=0.6)
        assert rows.mean() + 0.5 == pytest.approx(16 - pixels_per_unit * (place @ up), abs=0.6)


def test_lights_and_surfaces_are_two_sided() -> None:
    """A light between two parallel floors lights both equally, whatever the winding of the triangles."""
    light = quad((0, 0, 0), (0.1, 0, 0), (0, 0.1, 0), material(2, emission=(20.0,) * 3))
    above = quad((0, 0, 0.5), (0.3, 0, 0), (0, 0.3, 0), material(2, (0.5,) * 3))
    below = quad((0, 0, -0.5), (0.3, 0, 0), (0, 0.3, 0), material(2, (0.5,) * 3))
    views = [camera((0.0, -1.0, z), (0.0, 0.0, -z)) for z in (0.3, -0.3)]
    images = trace(scene([light, above, below], views, 8.0), spp=1024)
    assert images[0].mean() > 0.1
    assert images[0].mean() == pytest.approx(images[1].mean(), rel=0.02)
    faces = [camera((0.0, 0.01, z), (0.0, 0.0, 0.0)) for z in (0.4, -0.4)]
    assert trace(scene([light, above, below], faces, 1.0), spp=4) == pytest.approx(20.0)


def test_image_depends_on_the_seed_only() -> None:
    floor = lit_floor(material(2, (0.5,) * 3))
    assert (trace(floor, spp=2, seed=1) == trace(floor, spp=2, seed=1)).all()
    assert (trace(floor, spp=2, seed=1) != trace(floor, spp=2, seed=2)).any()


def test_denoising_reduces_the_error_of_few_samples() -> None:
    floor = lit_floor(material(2, (0.5, 0.2, 0.1), 0.3, 0.6))
    many = trace(floor, resolution=64, spp=512)
    noisy, clean = (PathTracer(4, denoise=denoise).render(floor, 64) for denoise in (False, True))
    assert clean.shape == noisy.shape == (1, 64, 64, 3)
    assert np.square(clean - many).mean() < 0.5 * np.square(noisy - many).mean()


def test_pixels_beyond_the_range_of_numbers_do_not_spoil_others(capfd: pytest.CaptureFixture[str]) -> None:
    """A light of 3e38 in one half of the image, and a floor that it cannot reach."""
    floor = quad((0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), material(2, (0.6, 0.4, 0.2)))
    lamp = quad((0, 0, 1), (0.05, 0, 0), (0, -0.05, 0), material(2, emission=WHITE))
    glare = quad((0.3, 0, -0.4), (0.1, 0, 0), (0, 0.1, 0), material(2, emission=(3e38,) * 3))
    world = scene([floor, lamp, glare], [camera((0, 0, 0.5), (0, 0, 0)), camera((0.3, 0, -2), (0.3, 0, 0))], 20)
    above, below = PathTracer(4).render(world, 16)
    assert np.isfinite(above).all()
    assert above.mean() > 0
    assert not np.isfinite(below).all()
    assert capfd.readouterr() == ("", "")


def test_samples_per_pixel_must_be_positive() -> None:
    with pytest.raises(InputError, match="at least 1"):
        PathTracer(0)


@pytest.mark.slow
def test_denoising_does_not_import_torch() -> None:
    """Importing torch takes longer than rendering a small scene; it can still be imported afterwards."""
    code = """
import sys
import numpy as np
from rfcli.truth.denoise import denoised
assert "torch" not in sys.modules
assert abs(denoised(np.ones((64, 64, 3), np.float32), 1).mean() - 1) < 0.01
import torch
assert torch.ones(2).sum() == 2
"""
    subprocess.run([sys.executable, "-c", code], check=True)
