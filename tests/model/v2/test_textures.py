"""Texture patches against closed forms: weights of texels, sampled images, groups of channels."""

import math

import pytest
import torch

from rfcli.model.v2.textures import encoded_patches, light_strength, raw_patches, sampled_patches, texel_weights


def test_texels_are_at_the_weights_of_the_format() -> None:
    weights = texel_weights()
    assert weights.shape == (32, 32, 3)
    assert weights[3, 10].tolist() == pytest.approx([10.5 / 32, 3.5 / 32, 1 - 14 / 32])  # row 3, column 10
    assert torch.allclose(weights.sum(-1), torch.ones(32, 32))
    assert weights[31, 31, 2] < 0  # the far half lies outside the triangle


def test_image_that_is_linear_is_sampled_exactly_inside_it() -> None:
    height, width = 64, 48
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    image = torch.stack([rows / height, columns / width, 2 * rows / height - columns / width])
    uv = torch.tensor([[[0.3, 0.2], [0.25, 0.45], [0.35, 0.3]]])
    found = sampled_patches(uv, image)
    points = torch.einsum("yxk,kc->cyx", texel_weights(), uv[0])
    expected = torch.stack([points[1], points[0], 2 * points[1] - points[0]])
    assert found.shape == (1, 3, 32, 32)
    assert torch.allclose(found[0], expected, atol=1e-5)


def test_image_is_repeated_beyond_its_edges() -> None:
    image = torch.rand(3, 7, 9, generator=torch.Generator().manual_seed(0))
    uv = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(sampled_patches(uv + torch.tensor([3.0, -2.0]), image), sampled_patches(uv, image), atol=1e-4)


def test_sampling_equals_a_loop_over_texels() -> None:
    generator = torch.Generator().manual_seed(4)
    image, uv = torch.rand(2, 5, 6, generator=generator), 3 * torch.rand(2, 3, 2, generator=generator) - 1
    found = sampled_patches(uv, image)
    for triangle in range(2):
        for row, column in ((0, 0), (3, 30), (31, 31), (17, 8)):
            u, v = (texel_weights()[row, column] @ uv[triangle]).tolist()
            x, y = 6 * u - 0.5, 5 * v - 0.5
            expected = torch.zeros(2)
            for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
                r, c = math.floor(y) + i, math.floor(x) + j
                expected += (1 - abs(y - r)) * (1 - abs(x - c)) * image[:, r % 5, c % 6]
            assert torch.allclose(found[triangle, :, row, column], expected, atol=1e-5)


def test_channels_are_encoded_in_groups_of_three() -> None:
    """With an encoder that averages blocks, the latents are averages of the channels, 16 per group."""
    patches = torch.rand(3, 16, 32, 32, generator=torch.Generator().manual_seed(2))

    def averages(images: torch.Tensor) -> torch.Tensor:
        means = torch.nn.functional.avg_pool2d(images, 8)
        return torch.cat([means, means.new_zeros(len(means), 13, 4, 4)], 1)

    latents = encoded_patches(patches, averages)
    assert latents.shape == (3, 80, 4, 4)
    blocks = torch.nn.functional.avg_pool2d(patches, 8)
    for group, channels in enumerate(([0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [15, 15, 15])):
        assert torch.equal(latents[:, 16 * group : 16 * group + 3], blocks[:, channels])


def test_emission_is_a_number_per_triangle_and_not_encoded() -> None:
    emission = torch.zeros(2, 3, 32, 32)
    emission[1] = torch.tensor([9.0, 99.0, -5.0])[:, None, None]
    emission[1, :, 5:] = 7.0
    patches = raw_patches(torch.zeros(2, 9, 32, 32), emission=emission)
    assert torch.allclose(light_strength(patches), torch.tensor([[0.0, 0, 0], [1, 2, 0]]))
    assert patches[:, 9:12].mean((2, 3)).tolist() == [[0, 0, 1]] * 2
