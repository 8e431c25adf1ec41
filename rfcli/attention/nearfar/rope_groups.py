"""Channels of a head whose products with a key vary alike across a cluster.

RoPE turns pair c F + f of a head's channels by coordinate c = 0 .. 8 (three vertices of x, y, z) times frequency f, see
`rfcli.model.encodings`. Along one axis at one frequency the three vertices turn alike; pairs that do not turn are
one group more. A cluster's variance is kept per group: as good as per channel, at a sixth of the cost.
"""

import torch
from torch import Tensor

COORDINATES, AXES = 9, 3


def rope_groups(head_dim: int, frequencies: int) -> Tensor:
    """[D, 3 F + 1] one where a channel belongs to a group, else zero; a pair is channels (i, i + D / 2)."""
    pair = torch.arange(head_dim // 2)
    coordinate, frequency = pair // max(frequencies, 1), pair % max(frequencies, 1)
    turning = frequency * AXES + coordinate % AXES
    group = torch.where(pair < COORDINATES * frequencies, turning, AXES * frequencies)
    return torch.nn.functional.one_hot(group, AXES * frequencies + 1).float().repeat(2, 1)
