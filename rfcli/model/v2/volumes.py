"""Homogeneous volumes as inputs of RenderFormer-V2: a token for each occupied block of 4 x 4 x 4 voxels of a cloud."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from rfcli.errors import InputError

VOXELS, BLOCK = 32, 4  # along a side of a cloud, and of a block
THRESHOLD = 0.5  # a block is kept if a voxel is denser
HALF_VOXEL = 0.5 / VOXELS  # by which the published positions are off the centres of blocks, along each axis


@dataclass(frozen=True)
class Cloud:
    """A volume in the cube [-0.5, 0.5]^3, placed in the world: scaled, rotated, translated.

    Attributes:
        density: [32, 32, 32], x slowest.
        translation: [3].
        rotation: [3] angles about x, then y, then z, the world's axes, radians.
        scale: [3].
        scattering: [3] coefficients of red, green and blue, per unit length.
        absorption: [3] coefficients, per unit length.

    Raises:
        InputError: An array has another shape, or values that are not finite.
    """

    density: Tensor
    translation: Tensor
    rotation: Tensor
    scale: Tensor
    scattering: Tensor
    absorption: Tensor

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            shape = (VOXELS,) * 3 if name == "density" else (3,)
            if tuple(value.shape) != shape:
                raise InputError(f"`{name}` of a volume has shape {list(value.shape)}, expected {list(shape)}.")
            if not bool(value.isfinite().all()):
                raise InputError(f"`{name}` of a volume holds numbers that are not finite.")


def rotation_matrix(angles: Tensor) -> Tensor:
    """[3, 3] rotation about the world's x, then y, then z axis; angles [3] in radians."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().tolist(), angles.sin().tolist()
    about_x = torch.tensor([[1.0, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = torch.tensor([[cy, 0, sy], [0, 1.0, 0], [-sy, 0, cy]])
    about_z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    return about_z @ about_y @ about_x


def cloud_inputs(cloud: Cloud) -> dict[str, Tensor]:
    """The network's inputs for one cloud of m occupied blocks: the fields of `V2Batch` [m, ...], without mask."""
    blocks = rearrange(cloud.density.float(), "(x a) (y b) (z c) -> (x y z) (a b c)", a=BLOCK, b=BLOCK, c=BLOCK)
    occupied = (blocks > THRESHOLD).any(1)
    place = (torch.arange(VOXELS // BLOCK) + 0.5) * BLOCK / VOXELS - 0.5 + HALF_VOXEL
    cube = torch.cartesian_prod(place, place, place)[occupied]
    position = (cube * cloud.scale) @ rotation_matrix(cloud.rotation).T + cloud.translation
    count = len(position)
    constant = {name: getattr(cloud, name).float() for name in ("rotation", "scale", "scattering", "absorption")}
    return {
        "volume_density": blocks[occupied],
        "volume_position": position.float(),
        **{f"volume_{name}": value.expand(count, -1) for name, value in constant.items()},
    }


def volume_inputs(clouds: Sequence[Cloud]) -> dict[str, Tensor]:
    """The network's inputs for the clouds of one scene [1, M, ...]; nothing if no block is occupied."""
    parts = [cloud_inputs(cloud) for cloud in clouds]
    joined = {name: torch.cat([part[name] for part in parts])[None] for name in (parts[0] if parts else ())}
    if not joined or not joined["volume_density"].shape[1]:
        return {}
    return joined | {"volume_mask": torch.ones(joined["volume_density"].shape[:2], dtype=torch.bool)}
