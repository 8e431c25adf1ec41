"""RoPE's frequencies, and the rotations that they make of positions."""

from torch import Tensor, nn

from rfcli.model.blocks import Rotation
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import rope_frequencies, rope_rotation


class RopeFrequencies(nn.Module):
    """The frequencies as a buffer: checkpoints store them, and what they store is what is used."""

    freqs: Tensor

    def __init__(self, dim: int, double_max: bool) -> None:
        super().__init__()
        self.register_buffer("freqs", rope_frequencies(dim, double_max))

    @classmethod
    def of(cls, config: RenderFormerConfig, dim: int) -> "RopeFrequencies | None":
        """Those of a stage with `dim` rotated channels per coordinate; None where the config tells positions by NeRF
        encodings."""
        return cls(dim, config.rope_double_max_freq) if config.pe_type == "rope" else None


def rotation_by(rope: RopeFrequencies | None, vertices: Tensor, head_dim: int) -> Rotation | None:
    """Cosines and sines [..., head_dim / 2] of vertices [..., 9]; None without RoPE."""
    return None if rope is None else rope_rotation(vertices, rope.freqs, head_dim)
