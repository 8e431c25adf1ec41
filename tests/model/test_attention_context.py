import torch

from rfcli.model.attention_context import surface_features
from tests.support.model_scenes import random_batch


def test_features_are_place_normal_and_half_the_albedo() -> None:
    batch = random_batch(scenes=2, triangles=5)
    assert batch.material is not None
    features = surface_features(batch, registers=3)
    assert features.shape == (2, 8, 9)
    assert (features[:, :3] == 0).all()
    triangle = features[1, 3 + 4]
    corners, material = batch.triangles[1, 4], batch.material[1, 4]
    assert torch.allclose(triangle[:3], (corners[0] + corners[1] + corners[2]) / 3)
    assert torch.allclose(triangle[3:6].norm(), torch.tensor(1.0))
    assert torch.allclose(torch.linalg.cross(triangle[3:6], batch.vn[1, 4].sum(0)), torch.zeros(3), atol=1e-6)
    assert torch.allclose(triangle[6:], (material[:3] + material[3:6]) / 2)
