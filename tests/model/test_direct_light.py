"""Direct light against closed forms, sums over fine samples, and the BSDF of the path tracer."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from rfcli.model.direct_light import _Reflection, direct_light, form_factors, lost_energy
from rfcli.model.light_samples import MAX_SAMPLES, LightSamples, light_samples
from rfcli.model.shadow_rays import light_visibility
from rfcli.model.surface_points import SeenRays, SurfacePoints, surface_points
from rfcli.scene.ggx_energy import lost_to_multiple_scattering
from rfcli.scene.ray_casting import ray_caster


def square(side: float, height: float, cuts: int = 1) -> np.ndarray:
    """[2 cuts^2, 3, 3] a horizontal square around the z axis."""
    line = np.linspace(-side / 2, side / 2, cuts + 1)
    triangles = []
    for x0, x1 in pairwise(line):
        for y0, y1 in pairwise(line):
            a, b, c, d = (x0, y0, height), (x1, y0, height), (x1, y1, height), (x0, y1, height)
            triangles += [(a, b, c), (a, c, d)]
    return np.array(triangles, dtype=np.float32)


def point_on_floor(x: float, y: float, roughness: float = 1.0, pixels: int = 12) -> SurfacePoints:
    """The same floor point in pixels x pixels pixels of four rays; the camera is straight above."""

    def everywhere(values: list[float]) -> Tensor:
        return torch.tensor(values).expand(1, 2 * pixels, 2 * pixels, 3).contiguous()

    rays = SeenRays(
        position=everywhere([x, y, 0.0]),
        normal=everywhere([0.0, 0.0, 1.0]),
        face_normal=everywhere([0.0, 0.0, 1.0]),
        to_camera=everywhere([0.0, 0.0, 1.0]),
        roughness=torch.full((1, 2 * pixels, 2 * pixels), roughness),
        lit=torch.ones(1, 2 * pixels, 2 * pixels, dtype=torch.bool),
    )
    return surface_points(rays, 2)[0]


def diffuse_at(x: float, y: float, lamp: np.ndarray, *blockers: np.ndarray) -> float:
    """D_A at a floor point, lamp of radiance 1, mean over the inner pixels, which have all neighbours."""
    surfaces = np.concatenate([square(4.0, 0.0), *blockers, lamp])
    emits = np.arange(len(surfaces)) >= len(surfaces) - len(lamp)
    lights = light_samples(surfaces, emits)
    points = point_on_floor(x, y)
    visibility = light_visibility(points, lights, ray_caster(surfaces), 2e-4)
    radiance = lights.radiance(torch.from_numpy(emits.astype(np.float32))[:, None])
    return float(direct_light(points, lights, visibility, radiance)[..., 0].view(12, 12)[2:-2, 2:-2].mean())


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


@pytest.mark.parametrize("side", [0.05, 0.3, 1.0, 3.0])
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


def random_polygons(count: int, vertices: int, generator: torch.Generator) -> Tensor:
    """[count, vertices, 3] flat convex polygons around the origin: points of circles, turned and moved."""
    angle = torch.rand(count, vertices, generator=generator).sort(1).values * 2 * math.pi
    circle = torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], -1)
    turn = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator)).Q
    return circle @ turn.mT + 0.7 * torch.randn(count, 1, 3, generator=generator)


@pytest.mark.parametrize("vertices", [3, 4, 7])
def test_form_factors_equal_sums_over_fine_pieces(vertices: int) -> None:
    """Also for polygons that the horizon cuts, or that lie below it."""
    generator = torch.Generator().manual_seed(vertices)
    polygons = random_polygons(40, vertices, generator).double()
    position = torch.zeros(1, 3, dtype=torch.float64)
    normal = torch.tensor([[0.0, 0.6, 0.8]], dtype=torch.float64)
    found = form_factors(position, normal, polygons)[0]
    steps = 400
    line = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    u, v = (x.reshape(-1, 1) for x in torch.meshgrid(line, line, indexing="ij"))
    root = u.sqrt()
    expected = torch.zeros(40, dtype=torch.float64)
    for a, b in pairwise(range(1, vertices)):
        corner, first, second = polygons[:, :1], polygons[:, a : a + 1], polygons[:, b : b + 1]
        points = corner * (1 - root) + root * (first * (1 - v) + second * v)
        cross = torch.linalg.cross(first - corner, second - corner)
        area = torch.linalg.vector_norm(cross, dim=-1) / 2
        facing = torch.nn.functional.normalize(cross, dim=-1)
        squared = points.square().sum(-1)
        cosines = (points @ normal[0]).clamp_min(0) * (points * facing).sum(-1).abs()
        expected += (area / math.pi * cosines / squared**2).mean(1)
    clear = (polygons - position).norm(dim=-1).amin(1) > 0.3
    height = (polygons * normal).sum(-1)
    assert ((height > 0).any(1) & (height < 0).any(1) & clear).sum() > 5
    torch.testing.assert_close(found[clear], expected[clear], rtol=2e-3, atol=1e-4)


def test_padded_and_reversed_polygons_have_the_same_form_factor() -> None:
    generator = torch.Generator().manual_seed(0)
    polygons = random_polygons(20, 4, generator)
    position, normal = torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]])
    given = form_factors(position, normal, polygons)
    torch.testing.assert_close(form_factors(position, normal, polygons.flip(1)), given)
    padded = torch.cat([polygons, polygons[:, -1:], polygons[:, -1:]], 1)
    torch.testing.assert_close(form_factors(position, normal, padded), given)


def test_light_beside_a_panel_under_a_ceiling() -> None:
    """Surfaces much closer to a lamp than its size: form factors of the upper side, seen from above it."""
    panel, gap = square(0.3, -0.01), 0.01
    for x in (0.0, 0.1, 0.152, 0.2):
        expected = form_factor(x, 0.0, 0.3, gap)
        ceiling_point = point_on_floor(x, 0.0)
        lights = light_samples(np.concatenate([square(4.0, -1.0), panel]), np.arange(4) >= 2)
        looking_down = SurfacePoints(
            **{**vars(ceiling_point), "normal": -ceiling_point.normal, "to_camera": -ceiling_point.to_camera}
        )
        light = direct_light(looking_down, lights, torch.ones(144, len(lights.area)), torch.ones(len(lights.area), 1))
        assert float(light[0, 0, 0]) == pytest.approx(expected, rel=0.01)


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
    visibility = light_visibility(points, lights, ray_caster(floor), 2e-4)
    assert direct_light(points, lights, visibility, lights.radiance(torch.zeros(2, 3))).abs().max() == 0
    nothing = surface_points(SeenRays(*torch.zeros(4, 1, 4, 4, 3), torch.zeros(1, 4, 4), torch.zeros(1, 4, 4) > 0), 2)
    assert len(nothing[0]) == 0


def test_three_hundred_lamps_together_give_the_light_of_each() -> None:
    rng = np.random.default_rng(0)
    lamps = [square(0.03, 0.0) + np.float32([*rng.uniform(-1, 1, 2), rng.uniform(0.4, 1.5)]) for _ in range(300)]
    for x, y in ((0.0, 0.0), (0.7, -0.5)):
        alone = sum(
            form_factor(x - float(lamp[..., 0].mean()), y - float(lamp[..., 1].mean()), 0.03, float(lamp[0, 0, 2]))
            for lamp in lamps
        )
        assert diffuse_at(x, y, np.concatenate(lamps)) == pytest.approx(alone, rel=0.05)


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
        polygons=torch.empty(0, 3, 3),
        polygon_group=torch.empty(0, dtype=torch.long),
        piece_sample=torch.arange(count),
        piece_triangle=torch.arange(count),
        piece_area=torch.ones(count),
    )
    up = torch.tensor([[0.0, 0.0, 1.0]])
    view = torch.nn.functional.normalize(torch.tensor([[0.5, 0.0, 1.0]]), dim=-1)
    for roughness in (0.3, 0.6, 1.0):
        reflection = _Reflection(dome, torch.device("cpu"))
        diffuse, specular = reflection(torch.zeros(1, 3), up, view, torch.tensor([roughness]))
        assert float(diffuse.sum()) == pytest.approx(1.0, rel=0.02)
        assert float(specular.sum()) == pytest.approx(1.0, rel=0.06)


def test_lost_energy_is_that_of_the_path_tracer() -> None:
    alpha = np.linspace(0, 1, 101).astype(np.float32)
    expected = torch.from_numpy(lost_to_multiple_scattering(alpha))
    torch.testing.assert_close(lost_energy(torch.from_numpy(alpha)), expected, atol=1e-6, rtol=0)
