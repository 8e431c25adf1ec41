"""Points that triangles share, against a comparison of every pair of corners.

Several rays a pixel: their mean radiance, not the mean of its logarithm; edges that cover part of a pixel; light of
the surface that a ray sees, not of its pixel's first one.
"""

import pytest
import torch
from torch import Tensor

from rfcli.model.batch import SceneBatch
from rfcli.model.cameras import pixel_directions
from rfcli.model.shading import mean_over_shared, mean_over_subpixels, shared_vertices
from rfcli.model.visibility import SeenSurface, hit_geometry, seen_surface, visible_triangles
from tests.support.model_scenes import random_batch


def fan(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Triangles around the origin that share it and their rims, all facing up: a smooth disc [1, N, 3, 3]."""
    angles = torch.arange(count + 1) % count * (2 * torch.pi / count)
    rim = torch.stack([angles.cos(), angles.sin(), torch.zeros(count + 1)], -1)
    triangles = torch.stack([torch.zeros(count, 3), rim[:-1], rim[1:]], 1)[None]
    return triangles, torch.tensor([0.0, 0.0, 1.0]).expand_as(triangles).clone()


def same(triangles: torch.Tensor, vn: torch.Tensor) -> torch.Tensor:
    """[B 3N, B 3N] bool: corners of one scene with equal position and normal."""
    rows = torch.cat([triangles, vn], -1).flatten(1, 2)
    scene = torch.arange(len(rows)).repeat_interleave(rows.shape[1])
    rows = rows.flatten(0, 1)
    return ((rows[:, None] - rows).abs() < 1e-5).all(-1) & (scene[:, None] == scene)


@pytest.mark.parametrize("count", [3, 7, 50])
def test_corners_of_a_smooth_disc(count: int) -> None:
    triangles, vn = fan(count)
    point = shared_vertices(triangles, vn)
    assert point.shape == (1, count, 3)
    assert int(point.max()) == count  # the rim and the centre, numbered from 0
    flat = point.flatten()
    assert torch.equal(flat[:, None] == flat, same(triangles, vn))


def test_scenes_and_directions_keep_apart() -> None:
    """Equal scenes of one batch share nothing, nor do the two sides of a crease."""
    triangles, vn = fan(6)
    vn[0, 3:] = torch.tensor([0.0, 1.0, 0.0])
    twice = triangles.repeat(2, 1, 1, 1), vn.repeat(2, 1, 1, 1)
    flat = shared_vertices(*twice).flatten()
    assert torch.equal(flat[:, None] == flat, same(*twice))


def test_means_against_the_matrix_of_pairs() -> None:
    batch = random_batch(triangles=20, scenes=2)
    triangles = (batch.triangles * 4).round() / 4  # a coarse grid, on which corners meet
    vn = torch.tensor([1.0, 0.0, 0.0]).expand_as(triangles)
    values = torch.randn(2, 20, 3, 5, dtype=torch.float64, requires_grad=True)
    matrix = same(triangles, vn).double()
    expected = (matrix / matrix.sum(1, keepdim=True) @ values.flatten(0, 2)).view_as(values)
    assert matrix.sum() > 130  # some do
    mean = mean_over_shared(values, shared_vertices(triangles, vn))
    assert torch.allclose(mean, expected)
    weights = torch.randn_like(values)
    ours, exact = (torch.autograd.grad((x * weights).sum(), values)[0] for x in (mean, expected))
    assert torch.allclose(ours, exact)


FOV = torch.tensor([40.0])


def surface_of(triangles: Tensor, resolution: int) -> SeenSurface:
    """Diffuse white, seen from the origin along -Z."""
    mask = torch.ones(1, len(triangles), dtype=torch.bool)
    a, b, c = triangles.unbind(1)
    normals = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    material = torch.zeros(len(triangles), 13).index_fill(1, torch.arange(3), 1.0)
    scene = SceneBatch(triangles[None], normals[None, :, None].expand(-1, -1, 3, -1), mask, material=material[None])
    visible = visible_triangles(triangles, mask[0], FOV[0], resolution)
    directions = pixel_directions(FOV, resolution)
    return seen_surface(scene, hit_geometry(visible[None], triangles[None], directions), directions)


def shown(image: Tensor) -> Tensor:
    """Radiance [H, H] of the first channel of log images [1, H, H, 3]."""
    return torch.pow(10.0, image[0, :, :, 0].double()) - 1


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("radiance", [0.5, 40.0])
def test_a_pixel_is_the_mean_of_its_block_of_rays(samples: int, radiance: float) -> None:
    triangle = torch.tensor([[[-0.7, -0.6, -2.0], [0.8, -0.5, -2.4], [0.1, 0.75, -1.8]]])
    surface = surface_of(triangle, 16 * samples)
    light = torch.full((1, 16, 16, 6), radiance).add(1).log10()
    blocks = surface.material[0, ..., 0].double().view(16, samples, 16, samples).mean((1, 3))
    assert ((blocks > 0) & (blocks < 1)).any() or samples == 1
    torch.testing.assert_close(
        shown(mean_over_subpixels(light, surface, samples)), radiance * blocks, rtol=1e-5, atol=1e-5
    )


def half_plane(right: float, depth: float) -> Tensor:
    """[2, 3, 3] left of an edge in a plane that faces the camera. right: of the edge, in half widths of the image."""
    half = depth * torch.tan(torch.deg2rad(FOV[0]) / 2)
    left, edge = -8 * half, right * half
    square = torch.tensor([[left, -9.0, -depth], [edge, -9.0, -depth], [edge, 9.0, -depth], [left, 9.0, -depth]])
    return torch.stack([square[[0, 1, 2]], square[[0, 2, 3]]])


def test_coverage_comes_near_the_area_that_a_triangle_covers() -> None:
    """A half plane whose edge crosses the image at a known place: column c is covered by the part left of it."""
    right = 0.31
    covered = 16 * (1 + right) / 2
    expected = (covered - torch.arange(16)).clamp(0, 1).double()
    errors = []
    for samples in (1, 2, 4, 8):
        surface = surface_of(half_plane(right, 2.0), 16 * samples)
        light = torch.full((1, 16, 16, 6), 2.0).log10()
        image = mean_over_subpixels(light, surface, samples)
        errors.append((shown(image)[5] - expected).abs().max().item())
    assert errors[-1] <= 0.5 / 8 + 1e-6
    assert errors[-1] < errors[0]


@pytest.mark.parametrize("samples", [2, 4])
def test_a_ray_past_an_edge_gets_the_light_of_what_it_sees(samples: int) -> None:
    """A bright half plane before a dark wall: a pixel across the edge is the mix of the two by the rays that see each,
    though all light is that of the pixels' first rays."""
    bright, dark, right = 3.0, 0.25, 0.31
    triangles = torch.cat([half_plane(right, 2.0), half_plane(8.0, 5.0)])
    surface = surface_of(triangles, 16 * samples)
    near = surface.triangle < 2
    radiance = torch.where(near[:, ::samples, ::samples], bright, dark)
    image = mean_over_subpixels((1 + radiance).log10()[..., None].expand(-1, -1, -1, 6), surface, samples)
    share = near[0].double().view(16, samples, 16, samples).mean((1, 3))
    assert ((share > 0) & (share < 1)).any()
    torch.testing.assert_close(shown(image), share * bright + (1 - share) * dark, rtol=1e-5, atol=1e-5)


def test_a_corner_of_a_room_takes_light_of_its_own_side() -> None:
    """Floor and wall meet at an edge without a step in depth: their planes tell them apart."""
    floor = torch.tensor([[-9.0, -0.4, -3.0], [9.0, -0.4, -3.0], [9.0, -0.4, -0.5], [-9.0, -0.4, -0.5]])
    wall = torch.tensor([[-9.0, 9.0, -3.0], [9.0, 9.0, -3.0], [9.0, -0.4, -3.0], [-9.0, -0.4, -3.0]])
    triangles = torch.stack([part[list(k)] for part in (floor, wall) for k in ((0, 1, 2), (0, 2, 3))])
    samples = 2
    surface = surface_of(triangles, 16 * samples)
    below = surface.triangle < 2
    radiance = torch.where(below[:, ::samples, ::samples], 2.0, 0.5)
    image = mean_over_subpixels((1 + radiance).log10()[..., None].expand(-1, -1, -1, 6), surface, samples)
    share = below[0].double().view(16, samples, 16, samples).mean((1, 3))
    torch.testing.assert_close(shown(image), share * 2.0 + (1 - share) * 0.5, rtol=1e-5, atol=1e-5)
