"""Random triangles: a scene with an exact triangle count, to measure time and memory with."""

import torch
from torch import Tensor

from rfcli.model import SceneBatch
from rfcli.scene.geometry import look_at

EMITTERS = 2  # triangles that emit


def random_triangle_batch(triangles: int, seed: int, device: torch.device) -> SceneBatch:
    """One scene of random triangles inside [-0.5, 0.5]^3 with random materials.

    Triangles shrink as 1 / sqrt(N), so that the total area stays constant, as when a scene is tessellated.

    Args:
        triangles: Triangle count N.
        seed: The same seed gives the same scene.
        device: Device of the tensors.

    Returns:
        A batch of one scene.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    corners = (uniform(1, triangles, 3, 3) - 0.5) * (triangles + 1) ** -0.5
    positions = ((uniform(1, triangles, 1, 3) - 0.5) + corners).clamp(-0.5, 0.5)
    normals = torch.nn.functional.normalize(uniform(1, triangles, 3, 3) - 0.5, dim=-1)
    material = torch.cat([0.5 * uniform(1, triangles, 7), torch.zeros(1, triangles, 6)], -1)
    material[..., 7:10] = torch.tensor([0.5, 0.5, 1.0])  # the tangent-space normal (0, 0, 1): normals are unchanged
    material[:, :EMITTERS, 10:13] = 1000.0
    mask = torch.ones(1, triangles, dtype=torch.bool)
    return SceneBatch(positions.to(device), normals.to(device), mask.to(device), material=material.to(device))


def random_triangle_camera() -> tuple[Tensor, Tensor]:
    """Camera of `random_triangle_batch`, with the whole scene in view.

    Returns:
        c2w [1, 1, 4, 4] and fov [1, 1] in degrees.
    """
    c2w = torch.from_numpy(look_at((0.0, -1.8, 0.4), (0.0, 0.0, 0.0))).float()
    return c2w[None, None], torch.full((1, 1), 40.0)
