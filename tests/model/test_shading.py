"""Shared vertices against a comparison of all pairs; antialiasing against exact coverage and radiance."""

import pytest
import torch
from torch import Tensor

from rfcli.model.batch import SceneBatch
from rfcli.model.cameras import pixel_directions
from rfcli.model.shading import average_shared, average_subpixels, shared_vertices
from rfcli.model.visibility import SurfaceHits, hit_geometry, surface_hits, visible_triangles
from tests.support.model_scenes import random_batch

FOV = torch.tensor([40.0])


def disc(count: int) -> tuple[Tensor, Tensor]:
    """Positions and normals [1, N, 3, 3] of a flat disc of triangles that share its centre, all facing up."""
    angles = torch.arange(count + 1) % count * (2 * torch.pi / count)
    rim = torch.stack([angles.cos(), angles.sin(), torch.zeros(count + 1)], -1)
    triangles = torch.stack([torch.zeros(count, 3), rim[:-1], rim[1:]], 1)[None]
    return triangles, torch.tensor([0.0, 0.0, 1.0]).expand_as(triangles).clone()


def equal_vertices(triangles: Tensor, vn: Tensor) -> Tensor:
    """[3 B N, 3 B N] bool, True for two vertices of one scene with equal position and normal."""
    rows = torch.cat([triangles, vn], -1).flatten(1, 2)
    scene = torch.arange(len(rows)).repeat_interleave(rows.shape[1])
    rows = rows.flatten(0, 1)
    return ((rows[:, None] - rows).abs() < 1e-5).all(-1) & (scene[:, None] == scene)


@pytest.mark.parametrize("count", [3, 7, 50])
def test_vertices_of_a_disc_are_shared(count: int) -> None:
    triangles, vn = disc(count)
    point = shared_vertices(triangles, vn)
    assert point.shape == (1, count, 3)
    assert int(point.max()) == count  # count vertices of the rim and the centre, numbered from 0
    flat = point.flatten()
    assert torch.equal(flat[:, None] == flat, equal_vertices(triangles, vn))


def test_vertices_of_other_scenes_or_with_other_normals_are_not_shared() -> None:
    """Two equal scenes in a batch, with a crease through the disc."""
    triangles, vn = disc(6)
    vn[0, 3:] = torch.tensor([0.0, 1.0, 0.0])
    twice = triangles.repeat(2, 1, 1, 1), vn.repeat(2, 1, 1, 1)
    flat = shared_vertices(*twice).flatten()
    assert torch.equal(flat[:, None] == flat, equal_vertices(*twice))


def test_average_over_shared_vertices_matches_a_matrix_of_pairs() -> None:
    batch = random_batch(triangles=20, scenes=2)
    triangles = (batch.triangles * 4).round() / 4  # on a coarse grid, so that vertices coincide
    vn = torch.tensor([1.0, 0.0, 0.0]).expand_as(triangles)
    values = torch.randn(2, 20, 3, 5, dtype=torch.float64, requires_grad=True)
    matrix = equal_vertices(triangles, vn).double()
    expected = (matrix / matrix.sum(1, keepdim=True) @ values.flatten(0, 2)).view_as(values)
    assert matrix.sum() > 130  # 120 if no vertices coincided
    mean = average_shared(values, shared_vertices(triangles, vn))
    assert torch.allclose(mean, expected)
    weights = torch.randn_like(values)
    ours, exact = (torch.autograd.grad((x * weights).sum(), values)[0] for x in (mean, expected))
    assert torch.allclose(ours, exact)


def white_surface(triangles: Tensor, resolution: int) -> SurfaceHits:
    """Diffuse white triangles [N, 3, 3], seen from the origin along -Z."""
    mask = torch.ones(1, len(triangles), dtype=torch.bool)
    a, b, c = triangles.unbind(1)
    normals = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    material = torch.zeros(len(triangles), 13).index_fill(1, torch.arange(3), 1.0)
    scene = SceneBatch(triangles[None], normals[None, :, None].expand(-1, -1, 3, -1), mask, material=material[None])
    visible = visible_triangles(triangles, mask[0], FOV[0], resolution)
    directions = pixel_directions(FOV, resolution)
    return surface_hits(scene, hit_geometry(visible[None], triangles[None], directions), directions)


def red_radiance(image: Tensor) -> Tensor:
    """Radiance [H, H] of the first channel of encoded images [1, H, H, 3]."""
    return torch.pow(10.0, image[0, :, :, 0].double()) - 1


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("radiance", [0.5, 40.0])
def test_pixel_is_the_mean_radiance_of_its_rays(samples: int, radiance: float) -> None:
    triangle = torch.tensor([[[-0.7, -0.6, -2.0], [0.8, -0.5, -2.4], [0.1, 0.75, -1.8]]])
    surface = white_surface(triangle, 16 * samples)
    light = torch.full((1, 16, 16, 6), radiance).add(1).log10()
    blocks = surface.material[0, ..., 0].double().view(16, samples, 16, samples).mean((1, 3))
    assert ((blocks > 0) & (blocks < 1)).any() or samples == 1
    torch.testing.assert_close(
        red_radiance(average_subpixels(light, surface, samples)), radiance * blocks, rtol=1e-5, atol=1e-5
    )


def half_plane(right: float, depth: float) -> Tensor:
    """[2, 3, 3] the part of a plane facing the camera left of a vertical edge at x = right, in half image widths."""
    half = depth * torch.tan(torch.deg2rad(FOV[0]) / 2)
    left, edge = -8 * half, right * half
    square = torch.tensor([[left, -9.0, -depth], [edge, -9.0, -depth], [edge, 9.0, -depth], [left, 9.0, -depth]])
    return torch.stack([square[[0, 1, 2]], square[[0, 2, 3]]])


def test_coverage_converges_to_the_covered_area() -> None:
    """A half plane whose edge has a known position: the covered part of every column of pixels is known."""
    right = 0.31
    covered = 16 * (1 + right) / 2
    expected = (covered - torch.arange(16)).clamp(0, 1).double()
    errors = []
    for samples in (1, 2, 4, 8):
        surface = white_surface(half_plane(right, 2.0), 16 * samples)
        light = torch.full((1, 16, 16, 6), 2.0).log10()
        image = average_subpixels(light, surface, samples)
        errors.append((red_radiance(image)[5] - expected).abs().max().item())
    assert errors[-1] <= 0.5 / 8 + 1e-6
    assert errors[-1] < errors[0]


@pytest.mark.parametrize("samples", [2, 4])
def test_rays_at_an_edge_get_the_lighting_of_the_surface_that_they_hit(samples: int) -> None:
    """A bright half plane before a dark wall: pixels at the edge mix both by the share of their rays."""
    bright, dark, right = 3.0, 0.25, 0.31
    triangles = torch.cat([half_plane(right, 2.0), half_plane(8.0, 5.0)])
    surface = white_surface(triangles, 16 * samples)
    near = surface.triangle < 2
    radiance = torch.where(near[:, ::samples, ::samples], bright, dark)
    image = average_subpixels((1 + radiance).log10()[..., None].expand(-1, -1, -1, 6), surface, samples)
    share = near[0].double().view(16, samples, 16, samples).mean((1, 3))
    assert ((share > 0) & (share < 1)).any()
    torch.testing.assert_close(red_radiance(image), share * bright + (1 - share) * dark, rtol=1e-5, atol=1e-5)


def test_rays_at_a_concave_edge_get_the_lighting_of_their_own_plane() -> None:
    """Floor and wall meet at an edge without a step in depth."""
    floor = torch.tensor([[-9.0, -0.4, -3.0], [9.0, -0.4, -3.0], [9.0, -0.4, -0.5], [-9.0, -0.4, -0.5]])
    wall = torch.tensor([[-9.0, 9.0, -3.0], [9.0, 9.0, -3.0], [9.0, -0.4, -3.0], [-9.0, -0.4, -3.0]])
    triangles = torch.stack([part[list(k)] for part in (floor, wall) for k in ((0, 1, 2), (0, 2, 3))])
    samples = 2
    surface = white_surface(triangles, 16 * samples)
    below = surface.triangle < 2
    radiance = torch.where(below[:, ::samples, ::samples], 2.0, 0.5)
    image = average_subpixels((1 + radiance).log10()[..., None].expand(-1, -1, -1, 6), surface, samples)
    share = below[0].double().view(16, samples, 16, samples).mean((1, 3))
    torch.testing.assert_close(red_radiance(image), share * 2.0 + (1 - share) * 0.5, rtol=1e-5, atol=1e-5)
