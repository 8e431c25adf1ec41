"""Environment maps against closed forms: directions, tone curves, sizes."""

import math

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model.v2.environment import HEIGHT, WIDTH, direction_map, environment_inputs, resized_map, tone_curves


def test_directions_are_those_of_latitude_and_longitude() -> None:
    directions = direction_map()
    assert directions.shape == (256, 512, 3)
    assert torch.allclose(directions.norm(dim=-1), torch.ones(256, 512))
    theta, phi = math.pi * 100.5 / 256, 2 * math.pi * (0.5 - 37.5 / 512)
    expected = [math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)]
    assert directions[100, 37].tolist() == pytest.approx(expected, abs=1e-6)
    assert directions[0, :, 2].min() > 0.9999  # the first row looks up
    assert (directions[128, 256, 0] > 0.999) & (directions[128, 128, 1] > 0.999)  # the middle +X, left of it +Y


def test_directions_cover_the_sphere_evenly_by_solid_angle() -> None:
    """The integral of the squared coordinates over the sphere is 4 pi / 3 each."""
    theta = math.pi * (torch.arange(HEIGHT) + 0.5) / HEIGHT
    solid_angle = (theta.sin() * math.pi / HEIGHT * 2 * math.pi / WIDTH)[:, None, None]
    assert torch.allclose(
        (direction_map() ** 2 * solid_angle).sum((0, 1)), torch.full((3,), 4 * math.pi / 3), rtol=1e-4
    )


def test_tone_curves_are_inverted() -> None:
    radiance = 30 * torch.rand(3, 8, 16, generator=torch.Generator().manual_seed(0)) ** 4
    low, high, strength = tone_curves(radiance)
    assert torch.equal(low, radiance.clamp(max=1))
    assert high.max() == pytest.approx(1)
    assert torch.allclose(10 ** (high * strength) - 1, radiance, atol=1e-4)


@pytest.mark.parametrize("size", [(256, 512), (512, 1024), (300, 700), (64, 128), (5, 9)])
def test_resized_maps_keep_constants_and_the_sum_of_directions(size: tuple[int, int]) -> None:
    constant = torch.full((3, *size), 2.5)
    assert torch.allclose(resized_map(constant), torch.full((3, HEIGHT, WIDTH), 2.5))
    smooth = direction_map(*size).permute(2, 0, 1) + 1  # smooth over the edge where longitudes meet
    error = (resized_map(smooth) - direction_map().permute(2, 0, 1) - 1).abs()
    assert error[:, 1:-1].max() < 6 / size[0]


def test_missing_environment_is_black() -> None:
    seen = []

    def encoder(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return torch.zeros(len(images), 16, 32, 64)

    inputs = environment_inputs(None, encoder)
    assert torch.equal(seen[0], torch.full((2, 3, 256, 512), -1.0))
    assert inputs["env_lighting_strength"].tolist() == [0]
    assert {name: list(value.shape) for name, value in inputs.items()} == {
        "env_latent_ldr": [1, 16, 32, 64],
        "env_latent_hdr": [1, 16, 32, 64],
        "env_lighting_strength": [1],
        "env_ray_dir": [1, 256, 512, 3],
    }


@pytest.mark.parametrize(
    "radiance", [torch.zeros(4, 8, 16), torch.full((3, 8, 16), -1.0), torch.full((3, 8, 16), math.nan)]
)
def test_values_that_are_no_radiance_are_refused(radiance: torch.Tensor) -> None:
    with pytest.raises(InputError, match="`environment`"):
        resized_map(radiance)
