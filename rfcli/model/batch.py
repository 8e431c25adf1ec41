"""Scenes as the network reads them: a batch of equally long triangle sequences.

A scene whose light is known: all that its views share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rfcli.attention import Context
from rfcli.errors import InputError

EMISSION = slice(-3, None)  # the last three channels, however many a model reads
COLOURS = (slice(0, 3), slice(3, 6), slice(10, 13))  # diffuse, specular and emission of 13 channels


@dataclass(frozen=True)
class SceneBatch:
    """B scenes of N triangles each, the shorter ones padded.

    triangles [B, N, 3, 3] and vn [B, N, 3, 3]: vertex positions and unit normals, world space.
    material  [B, N, 13], or texture [B, N, 13, P, P]: exactly one of them, emission in linear radiance. Models with
              another `texture_channels` read as many in place of 13; emission is always the last three.
    mask      [B, N] bool, True = a real triangle.
    monochrome  whether red, green and blue of every colour are known to be the same.

    Raises InputError where shapes disagree or a scene has no triangle.
    """

    triangles: Tensor
    vn: Tensor
    mask: Tensor
    material: Tensor | None = None
    texture: Tensor | None = None
    monochrome: bool = False

    def __post_init__(self) -> None:
        b, n = self.triangles.shape[:2]
        if (self.material is None) == (self.texture is None):
            raise InputError("Give the scene's materials as either `material` or `texture`.")
        expected = {"triangles": (b, n, 3, 3), "vn": (b, n, 3, 3), "mask": (b, n)}
        for name, shape in expected.items():
            if tuple(getattr(self, name).shape) != shape:
                raise InputError(f"{name} has shape {list(getattr(self, name).shape)}, expected {list(shape)}.")
        axes = 3 if self.material is not None else 5
        if self.surface.dim() != axes or tuple(self.surface.shape[:2]) != (b, n):
            expected_axes = "channels" if axes == 3 else "channels, P, P"
            raise InputError(f"Materials have shape {list(self.surface.shape)}, expected [{b}, {n}, {expected_axes}].")
        if not bool(self.mask.any(1).all()):
            raise InputError("A scene of the batch has no triangle: its mask is False everywhere.")

    @property
    def surface(self) -> Tensor:
        """The materials or the textures, whichever was given."""
        given = self.material if self.material is not None else self.texture
        assert given is not None
        return given

    @property
    def emitters(self) -> Tensor:
        """[B, N] bool, True = a real triangle that emits light."""
        return (self.constant_material()[..., EMISSION] > 0).any(-1) & self.mask

    def constant_material(self) -> Tensor:
        """[B, N, 13] the materials, read at the corner of the texture where one was given."""
        if self.material is not None:
            return self.material
        assert self.texture is not None
        return self.texture[..., 0, 0]


def log_emission(surface: Tensor) -> Tensor:
    """A copy of material [B, N, 13] or texture [B, N, 13, P, P] with emission e replaced by log10(1 + e)."""
    return torch.cat([surface[:, :, : EMISSION.start], torch.log10(1 + surface[:, :, EMISSION])], 2)


@dataclass(frozen=True)
class LitScene:
    """B scenes after the view-independent stage; what depends on no camera is worked out once, not once a view.

    batch        the scenes. S below is B, or 3 B where their channels are computed apart.
    tokens       [S, R + N, C] that know the light leaving their triangles.
    context      what attention to triangles may know of them as keys.
    keys_values  k and v [S, H, R + N, D] of every layer of the view stage, k rotated where its rotation depends on no
                 camera; None: each view computes those of one layer after another, and no two layers' exist at once.
    seen         [S, R + N, C] the tokens as rays learn of them that see their triangles; None without first hits.
    vertex_light [S, N, 3 C'] features of the light at the triangles' vertices; None without first hits.
    unit         [S] in which light is computed; None where it is as given.
    """

    batch: SceneBatch
    tokens: Tensor
    context: Context
    keys_values: Sequence[Sequence[Tensor]] | None
    seen: Tensor | None
    vertex_light: Tensor | None
    unit: Tensor | None
