"""Points that triangles share, against a comparison of every pair of corners."""

import pytest
import torch

from rfcli.model.shading import mean_over_shared, shared_vertices
from tests.model.scenes import random_batch


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
