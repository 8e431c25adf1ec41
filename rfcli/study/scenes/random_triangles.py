"""Scenes to time with: random triangles, exactly as many as asked, or a scene of one's own."""

import torch
from torch import Tensor

from rfcli.model import SceneBatch
from rfcli.scene import TriangleScene
from rfcli.scene.geometry import look_at

LIGHTS = 2  # triangles that emit, as in a small studio


def triangle_soup(triangles: int, seed: int, device: torch.device) -> SceneBatch:
    """One scene of `triangles` triangles inside [-0.5, 0.5]^3 with random materials; the same for the same seed.

    Triangles shrink as 1 / sqrt(N), so that the total area stays what it is, as when a scene is tessellated.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    corners = (uniform(1, triangles, 3, 3) - 0.5) * (triangles + 1) ** -0.5
    positions = ((uniform(1, triangles, 1, 3) - 0.5) + corners).clamp(-0.5, 0.5)
    normals = torch.nn.functional.normalize(uniform(1, triangles, 3, 3) - 0.5, dim=-1)
    material = torch.cat([0.5 * uniform(1, triangles, 7), torch.zeros(1, triangles, 6)], -1)
    material[..., 7:10] = torch.tensor([0.5, 0.5, 1.0])  # the normal map that leaves normals alone
    material[:, :LIGHTS, 10:13] = 1000.0
    mask = torch.ones(1, triangles, dtype=torch.bool)
    return SceneBatch(
        positions.to(device), normals.to(device), mask.to(device), material=material.to(device), texture=None
    )


def soup_camera() -> tuple[Tensor, Tensor]:
    """c2w [1, 1, 4, 4] and fov [1, 1] of a camera that has all of it in view."""
    c2w = torch.from_numpy(look_at((0.0, -1.8, 0.4), (0.0, 0.0, 0.0))).float()
    return c2w[None, None], torch.full((1, 1), 40.0)


def one_scene(scene: TriangleScene, device: torch.device) -> tuple[SceneBatch, tuple[Tensor, Tensor]]:
    """The scene as a batch of one, and its cameras c2w [1, V, 4, 4] and fov [1, V]."""
    arrays = (scene.triangles, scene.vn, scene.material, scene.c2w, scene.fov)
    triangles, vn, material, c2w, fov = (torch.from_numpy(array)[None].to(device) for array in arrays)
    mask = torch.ones(triangles.shape[:2], dtype=torch.bool, device=device)
    return SceneBatch(triangles, vn, mask, material=material), (c2w, fov)
