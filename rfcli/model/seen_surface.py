"""The surfaces that rays meet: what a pixel can say of them without knowing any light."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.model.first_hit import FirstHits
from rfcli.model.scene_batch import SceneBatch


@dataclass(frozen=True)
class SeenSurface:
    """V views of H x H rays; material, normal and place are zero where nothing is hit.

    triangle  [V, H, H] int64, 0 where nothing is hit.
    weights   [V, H, H, 3] barycentric.
    material  [V, H, H, 13].
    normal    [V, H, H, 3] unit shading normal, on the side that is seen; world space, as all directions are.
    towards   [V, H, H, 3] unit direction to the camera.
    place     [V, H, H, 3] seen from the camera.
    """

    triangle: Tensor
    weights: Tensor
    material: Tensor
    normal: Tensor
    towards: Tensor
    place: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> "SeenSurface":
        """With each of its tensors changed alike."""
        return SeenSurface(*map(change, vars(self).values()))

    def every(self, step: int, row: int = 0, column: int = 0) -> "SeenSurface":
        """One ray in step x step."""
        return self.map(lambda x: x[:, row::step, column::step])


def seen_surface(scenes: SceneBatch, hits: FirstHits, directions: Tensor) -> SeenSurface:
    """Of B scenes through V / B cameras each. directions [V, H, H, 3]: world space, of unit depth."""
    triangle, seen = hits.triangle.clamp_min(0), hits.seen[..., None]
    normal = F.normalize(interpolated(scenes.vn.flatten(2), triangle, hits.barycentric), dim=-1)
    behind = (normal * directions).sum(-1, keepdim=True) > 0
    return SeenSurface(
        triangle=triangle,
        weights=hits.barycentric,
        material=F.embedding(_row(triangle, scenes.mask), scenes.constant_material().flatten(0, 1)) * seen,
        normal=torch.where(behind, -normal, normal),
        towards=-F.normalize(directions, dim=-1),
        place=directions * hits.depth[..., None],
    )


def interpolated(at_vertices: Tensor, triangle: Tensor, weights: Tensor) -> Tensor:
    """[V, H, H, C] of what the triangles of B scenes have at their vertices [B, N, 3 C], at points of some of them.

    triangle [V, H, H] and barycentric weights [V, H, H, 3] of the points, V / B views of each scene.
    """
    corners = 3 * _row(triangle, at_vertices)[..., None] + torch.arange(3, device=triangle.device)
    table = at_vertices.reshape(3 * at_vertices.shape[0] * at_vertices.shape[1], -1)
    of_points = weights.to(table.dtype).flatten(0, 2)
    mixed = F.embedding_bag(corners.flatten(0, 2), table, mode="sum", per_sample_weights=of_points)
    return mixed.view(*triangle.shape, -1)


def _row(triangle: Tensor, of_scenes: Tensor) -> Tensor:
    """Where triangles [V, H, H] are among those of all scenes. of_scenes [B, N, ...]."""
    scenes, count = of_scenes.shape[:2]
    scene = torch.arange(len(triangle), device=triangle.device) // (len(triangle) // scenes)
    return triangle + count * scene[:, None, None]
