"""Volume tokens against a loop over voxels."""

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from rfcli.errors import InputError
from rfcli.model.v2 import Cloud
from rfcli.model.v2.volumes import cloud_inputs, rotation_matrix, volume_inputs


def cloud(density: torch.Tensor, **changes: torch.Tensor) -> Cloud:
    vectors = {
        "translation": torch.tensor([0.1, -0.2, 0.3]),
        "rotation": torch.tensor([0.3, -1.1, 2.0]),
        "scale": torch.tensor([0.5, 0.6, 0.7]),
        "scattering": torch.tensor([1.0, 2.0, 3.0]),
        "absorption": torch.tensor([0.1, 0.2, 0.3]),
    }
    return Cloud(density, **(vectors | changes))


def test_tokens_equal_a_loop_over_blocks() -> None:
    density = torch.rand(32, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.51
    given = cloud(density)
    matrix = Rotation.from_euler("xyz", given.rotation.numpy()).as_matrix()  # about the world's axes
    found = cloud_inputs(given)
    row = 0
    for x in range(8):
        for y in range(8):
            for z in range(8):
                block = density[4 * x : 4 * x + 4, 4 * y : 4 * y + 4, 4 * z : 4 * z + 4]
                if block.max() <= 0.5:
                    continue
                assert torch.equal(found["volume_density"][row], block.flatten())
                point = torch.tensor([(i + 0.5) / 8 - 0.5 + 1 / 64 for i in (x, y, z)])
                expected = torch.from_numpy(matrix).float() @ (point * given.scale) + given.translation
                assert torch.allclose(found["volume_position"][row], expected, atol=1e-6)
                row += 1
    assert row == len(found["volume_density"]) == len(found["volume_rotation"])
    assert 100 < row < 512
    assert torch.equal(found["volume_absorption"], given.absorption.expand(row, 3))


def test_rotation_is_about_x_then_y_then_z() -> None:
    quarter = torch.tensor([math.pi / 2, math.pi / 2, 0.0])
    assert torch.allclose(
        rotation_matrix(quarter) @ torch.tensor([0.0, 1.0, 0.0]), torch.tensor([1.0, 0, 0]), atol=1e-6
    )


def test_empty_clouds_have_no_tokens_and_clouds_are_joined() -> None:
    empty, full = cloud(torch.zeros(32, 32, 32)), cloud(torch.ones(32, 32, 32))
    assert volume_inputs([]) == volume_inputs([empty]) == {}
    joined = volume_inputs([full, empty, full])
    assert joined["volume_mask"].shape == (1, 1024)
    assert joined["volume_density"].shape == (1, 1024, 64)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(InputError, match="`density` of a volume"):
        cloud(torch.zeros(16, 16, 16))
    with pytest.raises(InputError, match="`scale` of a volume"):
        cloud(torch.zeros(32, 32, 32), scale=torch.tensor([1.0, math.inf, 1.0]))
