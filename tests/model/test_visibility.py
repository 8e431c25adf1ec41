"""The z-buffer against a float64 ray tracer that tests every triangle for every pixel."""

import math

import pytest
import torch
from torch import Tensor

from rfcli.model.cameras import pixel_directions
from rfcli.model.visibility import hit_geometry, patch_positions, visible_triangles


def nearest_by_brute_force(triangles: Tensor, fov: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
    """First hits [H, H], triangle and depth: solves t d = a + u (b - a) + v (c - a) for all pixels and triangles."""
    d = pixel_directions(fov.double()[None], resolution)[0].view(-1, 1, 3)
    a, b, c = triangles.double().unbind(1)
    system = torch.stack([d.expand(-1, len(a), -1), (a - b).expand(len(d), -1, -1), (a - c).expand(len(d), -1, -1)], -1)
    solved = torch.linalg.solve_ex(system, a.expand(len(d), -1, -1).unsqueeze(-1))[0][..., 0]
    t, u, v = solved.unbind(-1)
    t = torch.where((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-3), t, torch.inf)
    depth, index = t.min(1)
    index = torch.where(depth.isinf(), -1, index)
    return index.view(resolution, resolution), depth.view(resolution, resolution)


def random_triangles(count: int, seed: int, spread: float = 0.4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(count, 1, 3, generator=generator) - 0.5
    return centres + spread * (torch.rand(count, 3, 3, generator=generator) - 0.5)


@pytest.mark.parametrize(
    ("count", "resolution", "fov", "distance"), [(5, 16, 30.0, 2), (40, 24, 50.0, 1.6), (300, 32, 60.0, 0.2)]
)
def test_visible_triangles_match_a_ray_tracer(count: int, resolution: int, fov: float, distance: float) -> None:
    """At distance 0.2 the camera is among the triangles, and some extend behind it."""
    triangles = random_triangles(count, seed=count)
    triangles[..., 2] -= distance
    angle = torch.tensor(fov)
    seen = visible_triangles(triangles, torch.ones(count, dtype=torch.bool), angle, resolution)
    expected, depth = nearest_by_brute_force(triangles, angle, resolution)
    assert (seen == expected).float().mean() > 0.998  # rays through an edge may hit either side
    assert (expected >= 0).any()
    hits = hit_geometry(seen[None], triangles[None], pixel_directions(angle[None], resolution))
    same = (seen == expected) & (seen >= 0)
    assert torch.allclose(hits.depth[0][same].double(), depth[same], rtol=1e-4)


def box(cells: int) -> Tensor:
    """[N, 3, 3] the unit cube without its front; each face is cells x cells squares of two triangles."""
    line = torch.linspace(-0.5, 0.5, cells + 1)
    x, y = (corner.reshape(-1) for corner in torch.meshgrid(line[:-1], line[:-1], indexing="ij"))
    step = 1 / cells
    squares = torch.stack(
        [torch.stack([x + i * step, y + j * step], -1) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))], 1
    )
    halves = torch.cat([squares[:, [0, 1, 2]], squares[:, [0, 2, 3]]])

    def face(axis: int, position: float) -> Tensor:
        first, second = (a for a in range(3) if a != axis)
        out = torch.full((*halves.shape[:2], 3), position)
        out[..., first], out[..., second] = halves.unbind(-1)
        return out

    return torch.cat([face(2, -0.5), *(face(axis, side) for axis in (0, 1) for side in (-0.5, 0.5))])


@pytest.mark.parametrize("cells", [1, 3, 4, 8])
@pytest.mark.parametrize("resolution", [16, 64, 250, 256])
def test_no_ray_passes_between_adjacent_triangles(cells: int, resolution: int) -> None:
    """Seen along the axis of a box, edges and vertices of the walls lie exactly at the centres of pixels."""
    triangles = box(cells) - torch.tensor([0.0, 0.0, 1.6])
    angle = torch.tensor(2 * math.degrees(math.atan(0.5 / 1.1))) - 1e-3  # the open front just fills the image
    seen = visible_triangles(triangles, torch.ones(len(triangles), dtype=torch.bool), angle, resolution)
    assert (seen >= 0).all()


def test_triangle_seen_edge_on_is_invisible() -> None:
    sheet = torch.tensor([[[0.0, -1.0, -1.0], [0.0, 1.0, -1.0], [0.0, 0.0, -3.0]]])  # in the plane x = 0
    mask = torch.ones(1, dtype=torch.bool)
    for tilt in (0.0, 1e-9, -1e-9):
        sheet[0, 2, 0] = tilt
        assert (visible_triangles(sheet, mask, torch.tensor(45.0), 33) == -1).all()


def test_barycentric_weights_give_the_hit_point() -> None:
    triangles = random_triangles(30, seed=3) - torch.tensor([0.0, 0.0, 1.7])
    fov = torch.tensor([45.0])
    directions = pixel_directions(fov, 16)
    seen = visible_triangles(triangles, torch.ones(30, dtype=torch.bool), fov[0], 16)[None]
    hits = hit_geometry(seen, triangles[None], directions)
    points = (triangles[seen.clamp_min(0)] * hits.barycentric[..., None]).sum(-2)
    assert torch.allclose(points[hits.seen], (directions * hits.depth[..., None])[hits.seen], atol=1e-5)
    assert (hits.barycentric[~hits.seen] == 0).all()


def test_padding_is_invisible() -> None:
    triangles = random_triangles(20, seed=1) - torch.tensor([0.0, 0.0, 1.7])
    mask = torch.arange(20) < 10
    seen = visible_triangles(triangles, mask, torch.tensor(45.0), 16)
    alone = visible_triangles(triangles[:10], mask[:10], torch.tensor(45.0), 16)
    assert torch.equal(seen, alone)


def test_patches_without_hits_are_positioned_at_the_camera() -> None:
    triangle = torch.tensor([[[0.0, 0.0, -1.0], [2.0, 0.0, -1.0], [0.0, 2.0, -1.0]]])
    fov = torch.tensor([60.0])
    directions = pixel_directions(fov, 16)
    seen = visible_triangles(triangle, torch.ones(1, dtype=torch.bool), fov[0], 16)[None]
    positions = patch_positions(directions, hit_geometry(seen, triangle[None], directions), torch.zeros(1, 3), patch=8)[
        0
    ]
    assert (seen[0, :8, 8:] >= 0).all()  # the upper right quarter (+X is right, +Y is up)
    assert (seen[0, 8:] == -1).all()
    assert (seen[0, :, :8] == -1).all()
    assert torch.allclose(positions[1, 2], torch.tensor(-1.0))
    assert (positions[[0, 2, 3]] == 0).all()
