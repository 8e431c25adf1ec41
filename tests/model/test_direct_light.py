"""Direct light against closed forms, sums over fine samples, and the path tracer at a depth of one bounce."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rfcli.model.direct_light import SurfacePoints, _reflection, direct_light, light_visibility, lost_energy
from rfcli.model.light_samples import MAX_SAMPLES, LightSamples, light_samples
from rfcli.scene.ggx_energy import lost_to_multiple_scattering
from rfcli.scene.ray_casting import ray_caster

EXAMPLES = Path(__file__).parents[2] / "examples"


def square(side: float, height: float, cuts: int = 1) -> np.ndarray:
    """[2 cuts^2, 3, 3] a horizontal square around the z axis."""
    line = np.linspace(-side / 2, side / 2, cuts + 1)
    triangles = []
    for x0, x1 in pairwise(line):
        for y0, y1 in pairwise(line):
            a, b, c, d = (x0, y0, height), (x1, y0, height), (x1, y1, height), (x0, y1, height)
            triangles += [(a, b, c), (a, c, d)]
    return np.array(triangles, dtype=np.float32)


def point_on_floor(x: float, y: float, roughness: float = 1.0, rays: int = 32) -> SurfacePoints:
    """The same floor point for all rays of a tile of 4 x 4 pixels, 8 x 8 each; the camera is straight above."""

    def everywhere(values: list[float]) -> Tensor:
        return torch.tensor(values).expand(1, rays, rays, 3).contiguous()

    return SurfacePoints(
        position=everywhere([x, y, 0.0]),
        normal=everywhere([0.0, 0.0, 1.0]),
        face_normal=everywhere([0.0, 0.0, 1.0]),
        to_camera=everywhere([0.0, 0.0, 1.0]),
        roughness=torch.full((1, rays, rays), roughness),
        lit=torch.ones(1, rays, rays, dtype=torch.bool),
    )


def diffuse_at(x: float, y: float, lamp: np.ndarray, *blockers: np.ndarray) -> float:
    """D_A at a floor point, lamp of radiance 1, mean over a tile of pixels."""
    surfaces = np.concatenate([square(4.0, 0.0), *blockers, lamp])
    emits = np.arange(len(surfaces)) >= len(surfaces) - len(lamp)
    lights = light_samples(surfaces, emits)
    points = point_on_floor(x, y)
    visibility = light_visibility(points, lights, ray_caster(surfaces), 1.0, samples=8)
    radiance = lights.radiance(torch.from_numpy(emits.astype(np.float32))[:, None])
    return float(direct_light(points, lights, visibility, radiance)[..., 0].mean())


def form_factor(x: float, y: float, side: float, height: float) -> float:
    """From a floor point to a parallel square: the sum over the four rectangles with a corner above the point.

    Howell, A Catalog of Radiation Heat Transfer Configuration Factors, B-3.
    """

    def corner(a: float, b: float) -> float:
        a, b = a / height, b / height
        first = a / math.hypot(1, a) * math.atan(b / math.hypot(1, a))
        return (first + b / math.hypot(1, b) * math.atan(a / math.hypot(1, b))) / (2 * math.pi)

    left, right, front, back = side / 2 + x, side / 2 - x, side / 2 + y, side / 2 - y
    return corner(left, front) + corner(left, back) + corner(right, front) + corner(right, back)


@pytest.mark.parametrize("side", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.4, -0.2), (0.9, 0.6)])
def test_a_square_lamp_over_a_floor(side: float, x: float, y: float) -> None:
    assert diffuse_at(x, y, square(side, 1.0)) == pytest.approx(form_factor(x, y, side, 1.0), rel=0.01)


@pytest.mark.parametrize("side", [0.1, 0.5])
def test_a_card_hides_half_of_a_lamp(side: float) -> None:
    card = square(2.0, 0.5) + np.float32([1.0, 0.0, 0.0])  # covers x > 0 at half the height of the lamp
    half = form_factor(0.0, 0.0, side, 1.0) / 2
    assert diffuse_at(0.0, 0.0, square(side, 1.0), card) == pytest.approx(half, rel=0.01)


@pytest.mark.parametrize("cuts", [1, 2, 4, 16])
def test_a_lamp_gives_the_same_light_however_it_is_cut(cuts: int) -> None:
    lamp = square(0.4, 1.0, cuts)
    lights = light_samples(np.concatenate([square(4.0, 0.0), lamp]), np.arange(2 + len(lamp)) >= 2)
    assert len(lights.area) <= MAX_SAMPLES
    assert float(lights.area.sum()) == pytest.approx(0.16, rel=1e-5)
    assert diffuse_at(0.2, 0.1, lamp) == pytest.approx(form_factor(0.2, 0.1, 0.4, 1.0), rel=0.01)


def test_radiance_is_linear_in_emission_and_keeps_the_flux() -> None:
    lamp = np.concatenate([square(0.2, 1.0, 6), square(0.1, 0.8, 3) + np.float32([1, 0, 0])])
    emission = torch.rand(len(lamp), 3, generator=torch.Generator().manual_seed(0))
    lights = light_samples(lamp, np.ones(len(lamp), dtype=bool))
    assert len(lights.area) <= MAX_SAMPLES < len(lamp)
    area = torch.linalg.norm(torch.linalg.cross(*torch.from_numpy(lamp[:, 1:] - lamp[:, :1]).unbind(1)), dim=1) / 2
    torch.testing.assert_close(lights.radiance(emission).T @ lights.area, emission.T @ area)
    torch.testing.assert_close(lights.radiance(3 * emission), 3 * lights.radiance(emission))


def test_no_lights_and_no_seen_points_give_no_light() -> None:
    floor = square(1.0, 0.0)
    lights = light_samples(floor, np.zeros(2, dtype=bool))
    points = point_on_floor(0.0, 0.0)
    visibility = light_visibility(points, lights, ray_caster(floor), 1.0, samples=8)
    assert direct_light(points, lights, visibility, lights.radiance(torch.zeros(2, 3))).abs().max() == 0


def test_the_lobe_returns_all_energy() -> None:
    """White furnace: a diffuse or specular surface of colour 1 under a dome of radiance 1 reflects about 1."""
    count = 20000
    number = np.arange(count)
    height, turn = (number + 0.5) / count, number * math.pi * (1 + math.sqrt(5))  # a Fibonacci hemisphere
    flat = np.sqrt(1 - height**2)
    centres = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], -1)
    dome = LightSamples(
        position=torch.from_numpy(1e3 * centres).float(),
        normal=torch.from_numpy(-centres).float(),
        point_area=torch.full((count,), 2 * math.pi * 1e6 / count),
        point_sample=torch.arange(count),
        area=torch.full((count,), 2 * math.pi * 1e6 / count),
        group=torch.zeros(count, dtype=torch.long),
        shadow_points=torch.empty(0),
        piece_sample=torch.arange(count),
        piece_triangle=torch.arange(count),
        piece_area=torch.ones(count),
    )
    up = torch.tensor([[0.0, 0.0, 1.0]])
    view = torch.nn.functional.normalize(torch.tensor([[0.5, 0.0, 1.0]]), dim=-1)
    for roughness in (0.3, 0.6, 1.0):
        diffuse, specular = _reflection(torch.zeros(1, 3), up, view, torch.tensor([roughness]), dome)
        assert float(diffuse.sum()) == pytest.approx(1.0, rel=0.02)
        assert float(specular.sum()) == pytest.approx(1.0, rel=0.06)


def test_lost_energy_is_that_of_the_path_tracer() -> None:
    alpha = np.linspace(0, 1, 101).astype(np.float32)
    expected = torch.from_numpy(lost_to_multiple_scattering(alpha))
    torch.testing.assert_close(lost_energy(torch.from_numpy(alpha)), expected, atol=1e-6, rtol=0)
