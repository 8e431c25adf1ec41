"""Where a triangle is and how it looks: what an attention mechanism may pool triangles by."""

import torch
from torch import Tensor

from rfcli.model.scene_batch import SceneBatch

COLOUR = 0.5  # black and white are to be as far apart as half of half the scene, opposite normals as the scene


def surface_features(batch: SceneBatch, registers: int) -> Tensor:
    """[B, registers + N, 9] centroid, unit normal and half the albedo (diffuse + specular); zero for registers."""
    normal = torch.nn.functional.normalize(batch.vn.float().mean(2), dim=-1)
    material = batch.constant_material().float()
    albedo = material[..., :3] + material[..., 3:6]
    features = torch.cat([batch.triangles.float().mean(2), normal, COLOUR * albedo], -1)
    return torch.nn.functional.pad(features, (0, 0, registers, 0))
