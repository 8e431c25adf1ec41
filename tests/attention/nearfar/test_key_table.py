"""The channel groups, compared with the rotations of the model's RoPE and with an enumeration."""

import pytest
import torch

from rfcli.attention.nearfar.key_table import channel_groups
from rfcli.model.encodings import rope_rotation
from tests.support.attention_reference import channels_by_group


@pytest.mark.parametrize(("dim", "frequencies"), [(32, 1), (64, 3), (128, 6), (128, 7), (54, 3), (64, 0)])
def test_channels_of_a_group_rotate_by_one_axis_at_one_frequency(dim: int, frequencies: int) -> None:
    groups = channel_groups(dim, frequencies, 9)
    assert groups.shape == (dim, 3 * frequencies + 1)
    assert (groups.sum(1) == 1).all()
    for axis in range(3):
        for frequency in range(frequencies):
            vertices = torch.zeros(1, 9)
            vertices[:, axis::3] = 0.5
            one_frequency = torch.zeros(frequencies)
            one_frequency[frequency] = 1.0
            rotated = (rope_rotation(vertices, one_frequency, dim)[1][0] != 0).repeat(2)
            assert torch.equal(groups[:, 3 * frequency + axis] > 0, rotated)


def test_groups_equal_those_of_the_reference() -> None:
    found = {tuple(column.nonzero()[:, 0].tolist()) for column in channel_groups(128, 6, 9).T}
    assert found == {tuple(sorted(group)) for group in channels_by_group(128, 6)}
