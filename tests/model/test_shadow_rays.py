"""Visibility of lamps against closed forms and against thousands of rays from every point."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rfcli.model.light_samples import light_samples
from rfcli.model.shadow_rays import light_visibility
from rfcli.model.surface_points import SeenRays, SurfacePoints, surface_points
from rfcli.scene.ray_casting import ray_caster

FLOOR = np.float32([[(-4, -4, 0), (4, -4, 0), (4, 4, 0)], [(-4, -4, 0), (4, 4, 0), (-4, 4, 0)]])
OFFSET = 2e-4


def rectangle(corner: tuple[float, ...], first: tuple[float, ...], second: tuple[float, ...]) -> np.ndarray:
    """[2, 3, 3] the rectangle between two edges of a corner."""
    a, u, v = np.float32(corner), np.float32(first), np.float32(second)
    return np.stack([np.stack([a, a + u, a + u + v]), np.stack([a, a + u + v, a + v])])


def box(low: tuple[float, ...], high: tuple[float, ...]) -> np.ndarray:
    """[12, 3, 3] the six faces of a box."""
    size = np.subtract(high, low)
    x, y, z = (tuple(row) for row in np.diag(size))
    sides = [(x, y), (y, z), (z, x)]
    return np.concatenate(
        [rectangle(low, *edges) for edges in sides] + [rectangle(high, *np.negative(edges)) for edges in sides]
    )


def floor_points(pixels: int, left: float, width: float, front: float | None = None) -> SurfacePoints:
    """Floor points in a square grid of pixels x pixels pixels of four rays, seen from straight above."""
    line = left + (torch.arange(2 * pixels) + 0.5) * width / (2 * pixels)
    across = line if front is None else line - left + front
    y, x = torch.meshgrid(across, line, indexing="ij")
    position = torch.stack([x, y, torch.zeros_like(x)], -1)[None]
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(position)
    rays = SeenRays(position, up, up, up, torch.ones_like(x)[None], torch.ones_like(x, dtype=torch.bool)[None])
    return surface_points(rays, 2)[0]


def lamp_share(points: SurfacePoints, surfaces: np.ndarray, lamp: np.ndarray) -> Tensor:
    """[M] the visible share of a lamp, by area."""
    triangles = np.concatenate([surfaces, lamp])
    lights = light_samples(triangles, np.arange(len(triangles)) >= len(surfaces))
    visible = light_visibility(points, lights, ray_caster(triangles), OFFSET)
    return (visible * lights.area).sum(1) / lights.area.sum()


@pytest.mark.parametrize("width", [0.3, 2.0])
def test_the_penumbra_of_a_straight_edge_is_a_ramp(width: float) -> None:
    """Narrow and wide relative to pixels. From x the ray to a lamp point at u passes the edge if u < -x."""
    card = rectangle((0, -3, 0.5), (3, 0, 0), (0, 6, 0))
    lamp = rectangle((-0.1, -0.1, 1), (0.2, 0, 0), (0, 0.2, 0))
    points = floor_points(64, -width / 2, width)
    share = lamp_share(points, np.concatenate([FLOOR, card]), lamp)
    expected = ((0.1 - points.position[:, 0]) / 0.2).clamp(0, 1)
    error = (share - expected).abs().view(64, 64)[4:-4, 4:-4]
    assert error.mean() < 0.01
    assert error.max() < (0.02 if width < 1 else 0.1)
    if width < 1:  # rows of pixels are alike: nothing of the 4 x 4 patterns is left
        assert share.view(64, 64)[4:-4, 4:-4].std(0).max() < 0.004


def test_visibility_equals_the_mean_of_many_rays() -> None:
    lamp = rectangle((-0.5, -0.4, 1.5), (0.3, 0, 0.1), (0, 0.3, 0.05))
    surfaces = np.concatenate([FLOOR, box((-0.3, -0.2, 0.2), (0.1, 0.3, 0.5)), box((0.3, 0.1, 0), (0.5, 0.3, 0.4))])
    points = floor_points(48, -0.9, 1.8)
    share = lamp_share(points, surfaces, lamp)
    rng, caster = np.random.default_rng(0), ray_caster(np.concatenate([surfaces, lamp]))
    strata = np.stack(np.meshgrid(np.arange(20), np.arange(20)), -1).reshape(-1, 2)
    hidden = np.zeros(len(points))
    for u, v in ((strata + rng.random(strata.shape)) / 20).astype(np.float32):
        target = lamp[0, 0] + u * (lamp[0, 1] - lamp[0, 0]) + v * (lamp[1, 2] - lamp[0, 0])
        jitter = np.float32([1, 1, 0]) * (rng.random((len(points), 3), dtype=np.float32) - 0.5) * 1.8 / 48
        origins = points.position.numpy() + jitter + np.float32([0, 0, OFFSET])
        hidden += caster.occluded(origins, np.broadcast_to(target, origins.shape)) / len(strata)
    error = (share - torch.from_numpy(1 - hidden)).abs()
    assert error.mean() < 0.01
    assert error.quantile(0.99) < 0.12


def test_no_light_leaks_where_a_box_stands_on_the_floor() -> None:
    lamp = rectangle((-1.1, 0, 1), (0.2, 0, 0), (0, 0.2, 0))
    surfaces = np.concatenate([FLOOR, box((-0.2, -1, 0), (0, 1, 0.5))])
    behind = floor_points(16, 0.0, 0.02)
    assert float(lamp_share(behind, surfaces, lamp).max()) == 0
    inside = floor_points(16, -0.02, 0.019)
    assert float(lamp_share(inside, surfaces, lamp).max()) == 0


def test_no_seams_on_finely_cut_surfaces_and_in_corners() -> None:
    line = np.linspace(-1, 1, 65)
    cut = np.concatenate([rectangle((x, y, 0), (1 / 32, 0, 0), (0, 1 / 32, 0)) for x in line[:-1] for y in line[:-1]])
    wall = rectangle((0.5, -1, 0), (0, 2, 0), (0, 0, 1))
    lamp = rectangle((-0.1, -0.1, 1), (0.2, 0, 0), (0, 0.2, 0))
    surfaces = np.concatenate([cut, wall])
    assert float(lamp_share(floor_points(64, -0.5, 1.0), surfaces, lamp).min()) == 1
    assert float(lamp_share(floor_points(16, 0.499, 0.001, front=0.0), surfaces, lamp).min()) == 1


def test_a_lamp_inside_a_mesh_lights_nothing_outside() -> None:
    lamp = rectangle((-0.1, -0.1, 0.6), (0.2, 0, 0), (0, 0.2, 0))
    share = lamp_share(floor_points(32, -1, 2), np.concatenate([FLOOR, box((-0.3, -0.3, 0.4), (0.3, 0.3, 0.8))]), lamp)
    assert float(share.max()) == 0


def test_points_that_stand_for_pixels_have_the_mean_of_their_rays() -> None:
    points = floor_points(4, 0.0, 1.0)
    assert len(points) == 16
    torch.testing.assert_close(points.position[0], torch.tensor([0.125, 0.125, 0.0]))
    assert bool((points.rays == 4).all())


def test_rays_of_a_pixel_on_two_surfaces_are_points_of_their_own() -> None:
    position = torch.zeros(1, 4, 4, 3)
    position[..., 0] = torch.arange(4.0)
    normal = torch.tensor([0.0, 0.0, 1.0]).repeat(1, 4, 4, 1)
    normal[:, :, 1] = torch.tensor([1.0, 0.0, 0.0])  # the second column of rays sees a wall
    lit = torch.ones(1, 4, 4, dtype=torch.bool)
    lit[0, 0, 3] = False
    rays = SeenRays(position, normal, normal, normal, torch.ones(1, 4, 4), lit)
    points, image = surface_points(rays, 2)
    assert len(points) == 4 * 2 + 3 + 1  # four rays in each left pixel, three in one with an unlit ray, one whole pixel
    assert int(image[0, 0, 3]) == len(points)
    seen = image[lit]
    torch.testing.assert_close(points.normal[seen], normal[lit])
    rough = SeenRays(position, normal, normal, normal, torch.rand(1, 4, 4), lit)
    assert len(surface_points(rough, 2)[0]) == 15


def test_a_lamp_that_the_horizon_cuts_is_seen_entirely() -> None:
    """A vertical wall below the edge of a panel: whatever part is above the horizon, nothing hides it."""
    wall = rectangle((0, -1, 0), (0, 2, 0), (0, 0, 1))
    lamp = rectangle((-0.28, -0.15, 1.5), (0.3, 0, 0), (0, 0.3, 0))  # a strip of 0.02 is in front of the wall
    y, z = torch.meshgrid(torch.linspace(-0.5, 0.5, 32), torch.linspace(0.1, 0.9, 32), indexing="ij")
    position = torch.stack([torch.zeros_like(y), y, z], -1)[None]
    facing = torch.tensor([1.0, 0.0, 0.0]).expand_as(position)
    rays = SeenRays(position, facing, facing, facing, torch.ones(1, 32, 32), torch.ones(1, 32, 32, dtype=torch.bool))
    assert float(lamp_share(surface_points(rays, 2)[0], wall, lamp).min()) == 1
