"""Several rays a pixel: their mean radiance, not the mean of its logarithm, and edges that cover part of a pixel."""

import pytest
import torch
from torch import Tensor

from rfcli.model.first_hit import FirstHits, hit_geometry, visible_triangles
from rfcli.model.rays import pixel_directions, pixel_rays
from rfcli.model.subpixels import mean_over_subpixels

FOV = torch.tensor([40.0])


def hits_of(triangles: Tensor, resolution: int) -> FirstHits:
    mask = torch.ones(len(triangles), dtype=torch.bool)
    visible = visible_triangles(triangles, mask, FOV[0], resolution)
    return hit_geometry(visible[None], triangles[None], pixel_directions(FOV, resolution))


def shining(radiance: float) -> object:
    """A decoder by which whatever is hit has one radiance, and the rest is black."""

    def decode(hits: FirstHits, rays: Tensor) -> Tensor:
        assert rays.shape[:-1] == hits.triangle.shape
        return torch.log10(1 + radiance * hits.seen.double())[:, None].expand(-1, 3, -1, -1)

    return decode


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("radiance", [0.5, 40.0])
def test_a_pixel_is_the_mean_of_its_block_of_rays(samples: int, radiance: float) -> None:
    triangle = torch.tensor([[[-0.7, -0.6, -2.0], [0.8, -0.5, -2.4], [0.1, 0.75, -1.8]]])
    fine = 16 * samples
    hits = hits_of(triangle, fine)
    image = mean_over_subpixels(shining(radiance), hits, pixel_rays(FOV, fine), samples)  # type: ignore[arg-type]
    blocks = hits.seen.double().view(1, 16, samples, 16, samples).mean((2, 4))
    assert ((blocks > 0) & (blocks < 1)).any() or samples == 1
    torch.testing.assert_close(torch.pow(10.0, image[0, 0]) - 1, radiance * blocks[0])


def test_coverage_comes_near_the_area_that_a_triangle_covers() -> None:
    """A half plane whose edge crosses the image at a known place: column c is covered by the part left of it."""
    right = 0.31  # of the edge, at depth 2, in units of half the image's width
    half = 2 * torch.tan(torch.deg2rad(FOV[0]) / 2)
    left, edge = -8 * half, right * half
    square = torch.tensor([[left, -9.0, -2.0], [edge, -9.0, -2.0], [edge, 9.0, -2.0], [left, 9.0, -2.0]])
    triangles = torch.stack([square[[0, 1, 2]], square[[0, 2, 3]]])
    covered = 16 * (1 + right) / 2
    expected = (covered - torch.arange(16)).clamp(0, 1).double()
    errors = []
    for samples in (1, 2, 4, 8):
        hits = hits_of(triangles, 16 * samples)
        image = mean_over_subpixels(shining(1.0), hits, pixel_rays(FOV, 16 * samples), samples)  # type: ignore[arg-type]
        errors.append(((torch.pow(10.0, image[0, 0]) - 1)[5] - expected).abs().max().item())
    assert errors[-1] <= 0.5 / 8 + 1e-6
    assert errors[-1] < errors[0]
