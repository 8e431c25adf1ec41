import pytest
import torch

from rfcli.attention.nearfar.rope_groups import rope_groups
from rfcli.model.encodings import rope_rotation
from tests.support.attention_reference import channel_groups


@pytest.mark.parametrize(("dim", "frequencies"), [(32, 1), (64, 3), (128, 6), (128, 7), (54, 3), (64, 0)])
def test_channels_of_a_group_turn_by_one_axis_at_one_frequency(dim: int, frequencies: int) -> None:
    groups = rope_groups(dim, frequencies)
    assert groups.shape == (dim, 3 * frequencies + 1)
    assert (groups.sum(1) == 1).all()
    for axis in range(3):
        for frequency in range(frequencies):
            vertices = torch.zeros(1, 9)
            vertices[:, axis::3] = 0.5
            only = torch.zeros(frequencies)
            only[frequency] = 1.0
            turned = (rope_rotation(vertices, only, dim)[1][0] != 0).repeat(2)
            assert torch.equal(groups[:, 3 * frequency + axis] > 0, turned)


def test_the_twins_groups_are_these() -> None:
    ours = {tuple(column.nonzero()[:, 0].tolist()) for column in rope_groups(128, 6).T}
    assert ours == {tuple(sorted(group)) for group in channel_groups(128, 6)}
