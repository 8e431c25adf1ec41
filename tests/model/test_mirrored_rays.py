"""Directions of mirrored rays and their averages over pixels."""

import math

import pytest
import torch
from torch import Tensor

from rfcli.model.mirrored_rays import _disc_points, averaged, lobe_weights, microfacet_normals, mirrored_hits
from rfcli.model.surface_points import SeenRays, SurfacePoints, surface_points
from rfcli.scene.ray_casting import ExhaustiveCaster
from tests.model.test_shadow_rays import FLOOR


def unit(*values: float) -> Tensor:
    return torch.nn.functional.normalize(torch.tensor([values]), dim=-1)


@pytest.mark.parametrize("roughness", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("tilt", [0.0, 0.8, 3.0])
def test_microfacet_normals_are_those_that_the_viewer_sees(roughness: float, tilt: float) -> None:
    """Mean of the visible normals: the integral of D G1 max(o . m, 0) m / (n . o) over the hemisphere."""
    alpha, view, count = roughness**2, unit(tilt, 0.2 * tilt, 1.0), 400
    u = (torch.arange(count) + 0.5) / count
    first, second = (x.reshape(-1) for x in torch.meshgrid(u, u, indexing="ij"))
    disc = torch.stack([first.sqrt() * (2 * math.pi * second).cos(), first.sqrt() * (2 * math.pi * second).sin()], -1)
    up = torch.tensor([[0.0, 0.0, 1.0]])
    found = microfacet_normals(
        up.expand(len(disc), 3), view.expand(len(disc), 3), torch.full((len(disc),), roughness), disc
    ).mean(0)
    sine = (1 - first**2).sqrt()  # a grid that is uniform in solid angle
    normals = torch.stack([sine * (2 * math.pi * second).cos(), sine * (2 * math.pi * second).sin(), first], -1)
    weight = (normals @ view[0]).clamp_min(0) / (first**2 * (alpha**2 - 1) + 1).square()
    expected = (normals * weight[:, None]).sum(0) / weight.sum()
    torch.testing.assert_close(found, expected, atol=4e-3, rtol=0)


def test_the_patterns_of_a_tile_are_spread_evenly_over_the_disc() -> None:
    points = _disc_points()
    assert float(points.mean(0).abs().max()) < 1e-6
    assert float(points.square().sum(-1).mean()) == pytest.approx(0.5, abs=1e-6)  # of the disc: the integral of 2 r^3


def floor(roughness: float, pixels: int = 16) -> SurfacePoints:
    """Points of a floor seen from far away, above one side."""
    y, x = torch.meshgrid(*[(torch.arange(float(pixels)) - pixels / 2) / pixels] * 2, indexing="ij")
    position = torch.stack([x, y, torch.zeros_like(x)], -1)[None]
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(position)
    view = torch.nn.functional.normalize(torch.tensor([30.0, 0, 30]) - position, dim=-1)
    lit = torch.ones(1, pixels, pixels, dtype=torch.bool)
    return surface_points(SeenRays(position, up, up, view, torch.full((1, pixels, pixels), roughness), lit), 1)[0]


def test_rough_pixels_are_averaged_over_whole_tiles_and_smooth_ones_not() -> None:
    image = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    tile = image[:, :4, :4].repeat(1, 4, 4, 1)
    weights, spread = lobe_weights(floor(0.6))
    inner = averaged(tile, weights)[:, 2:-2, 2:-2]
    torch.testing.assert_close(inner, tile.mean((1, 2), keepdim=True).expand_as(inner))
    assert float(spread.view(16, 16)[2:-2, 2:-2].min()) == pytest.approx(1)
    weights, spread = lobe_weights(floor(0.02))
    assert torch.equal(averaged(image, weights), image)
    assert float(spread.max()) == 0


def test_edges_are_not_averaged() -> None:
    points = floor(0.6)
    position = points.position.clone()
    position[points.pixel % 16 >= 8, 2] += 0.5  # a step in the floor
    weights, _ = lobe_weights(SurfacePoints(**{**vars(points), "position": position}))
    image = (torch.arange(16) >= 8).float().expand(1, 16, 16)[..., None]
    torch.testing.assert_close(averaged(image, weights), image)


def test_rays_of_a_smooth_floor_are_mirrored_and_stay_above() -> None:
    """A ceiling of one triangle at height 1: the hit follows from the law of reflection."""
    smooth = floor(0.02)
    _, spread = lobe_weights(smooth)
    ceiling = FLOOR + torch.tensor([0.0, 0.0, 1.0]).numpy()
    hits = mirrored_hits(smooth, spread, ExhaustiveCaster(ceiling), 1e-4)
    expected = smooth.to_camera * torch.tensor([-1.0, -1.0, 1.0])
    torch.testing.assert_close(hits.direction, expected)
    torch.testing.assert_close(hits.distance, 1 / expected[:, 2], rtol=1e-3, atol=0)
    rough = floor(1.0)
    hits = mirrored_hits(rough, lobe_weights(rough)[1], ExhaustiveCaster(ceiling), 1e-4)
    assert float(hits.direction[:, 2].min()) >= 0
    assert float(hits.direction.std(0).min()) > 0.1
