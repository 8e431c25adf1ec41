"""Scenes to time with: random triangles, exactly as many as asked. The cost of attention depends on nothing else."""

import torch

from rfcli.model import SceneBatch

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
