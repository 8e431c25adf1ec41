"""Batches of scenes: the network's input, sequences of triangles padded to equal length.

The 13 channels of a material are diffuse red, green, blue (0 to 2), specular red, green, blue (3 to 5), roughness (6),
tangent-space normal (7 to 9) and emitted radiance red, green, blue (10 to 12).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rfcli.errors import InputError
from rfcli.scene import TriangleScene

DIFFUSE, SPECULAR, ROUGHNESS = slice(0, 3), slice(3, 6), slice(6, 7)
EMISSION = slice(-3, None)  # counted from the end, since `texture_channels` of a model may differ from 13
COLOURS = (DIFFUSE, SPECULAR, slice(10, 13))  # the colours of 13-channel materials: diffuse, specular, emission


@dataclass(frozen=True)
class SceneBatch:
    """B scenes of N triangles each; shorter scenes are padded.

    Exactly one of `material` and `texture` is given. Models whose config has another `texture_channels` read that many
    channels in place of 13; emission is always the last three.

    Attributes:
        triangles: [B, N, 3, 3] vertex positions, world space.
        vn: [B, N, 3, 3] unit vertex normals, world space.
        mask: [B, N] bool, True for real triangles, False for padding.
        material: [B, N, 13] constant materials, emission in linear radiance.
        texture: [B, N, 13, P, P] materials that vary over each triangle.
        monochrome: Whether red, green and blue of every colour are known to be equal.

    Raises:
        InputError: Shapes disagree, or a scene has no triangle.
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
                raise InputError(f"`{name}` has shape {list(getattr(self, name).shape)}, expected {list(shape)}.")
        axes = 3 if self.material is not None else 5
        if self.surface.dim() != axes or tuple(self.surface.shape[:2]) != (b, n):
            name, expected_axes = ("material", "channels") if axes == 3 else ("texture", "channels, P, P")
            raise InputError(f"`{name}` has shape {list(self.surface.shape)}, expected [{b}, {n}, {expected_axes}].")
        if not bool(self.mask.any(1).all()):
            raise InputError("A scene of the batch has no triangle: its `mask` is False everywhere.")

    @classmethod
    def from_scenes(
        cls, scenes: TriangleScene | Sequence[TriangleScene], device: str | torch.device = "cpu"
    ) -> "SceneBatch":
        """One scene or several as a batch.

        Args:
            scenes: A scene, or B scenes; the shorter ones are padded with zeros.
            device: Where the tensors are created.

        Returns:
            A batch with `material`.

        Raises:
            InputError: There is no scene.
        """
        scenes = [scenes] if isinstance(scenes, TriangleScene) else list(scenes)
        if not scenes:
            raise InputError("`scenes` is empty; give at least one.")
        longest = max(len(scene) for scene in scenes)

        def stack(name: str) -> Tensor:
            arrays = [torch.from_numpy(getattr(scene, name)) for scene in scenes]
            padded = [_padded(array, longest) for array in arrays]
            return torch.stack(padded).to(device)

        lengths = torch.tensor([len(scene) for scene in scenes])
        mask = (torch.arange(longest) < lengths[:, None]).to(device)
        return cls(stack("triangles"), stack("vn"), mask, material=stack("material"))

    def to(self, device: torch.device) -> "SceneBatch":
        """The batch on a device, geometry in float32."""

        def move(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        return replace(
            self,
            triangles=self.triangles.to(device).float(),
            vn=self.vn.to(device).float(),
            mask=self.mask.to(device),
            material=move(self.material),
            texture=move(self.texture),
        )

    @property
    def surface(self) -> Tensor:
        """[B, N, 13] materials or [B, N, 13, P, P] textures, whichever was given."""
        given = self.material if self.material is not None else self.texture
        assert given is not None
        return given

    @property
    def emitters(self) -> Tensor:
        """[B, N] bool, True for real triangles that emit light."""
        return (self.constant_material()[..., EMISSION] > 0).any(-1) & self.mask

    def constant_material(self) -> Tensor:
        """[B, N, 13] the materials, or the textures' values at texel (0, 0)."""
        if self.material is not None:
            return self.material
        assert self.texture is not None
        return self.texture[..., 0, 0]


def _padded(array: Tensor, length: int) -> Tensor:
    """[N, ...] -> [length, ...], zeros after the N rows."""
    return torch.cat([array, array.new_zeros(length - len(array), *array.shape[1:])])


def camera_tensors(scene: TriangleScene, device: str | torch.device = "cpu") -> tuple[Tensor, Tensor]:
    """The cameras of a scene as a batch of one: c2w [1, V, 4, 4] and fov [1, V] in degrees."""
    return torch.from_numpy(scene.c2w)[None].to(device), torch.from_numpy(scene.fov)[None].to(device)


def face_normals(triangles: Tensor) -> Tensor:
    """[N, 3, 3] vertex positions -> [N, 3] unit normals by the right-hand rule, float32; 0 without area."""
    a, b, c = triangles.float().unbind(-2)
    return torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)


def triangle_areas(triangles: Tensor) -> Tensor:
    """[..., 3, 3] vertex positions -> [...] areas, float32."""
    a, b, c = triangles.float().unbind(-2)
    area: Tensor = torch.linalg.vector_norm(torch.linalg.cross(b - a, c - a), dim=-1) / 2
    return area
