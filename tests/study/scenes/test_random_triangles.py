import pytest
import torch

from rfcli.scene.geometry import triangle_areas
from rfcli.study.scenes.random_triangles import EMITTERS, random_triangle_batch


@pytest.mark.parametrize("count", [64, 1000, 4096])
def test_scene_has_the_exact_count_and_about_the_same_area(count: int) -> None:
    scene = random_triangle_batch(count, 0, torch.device("cpu"))
    assert scene.triangles.shape == (1, count, 3, 3)
    assert scene.triangles.abs().max() <= 0.5
    assert torch.allclose(scene.vn.norm(dim=-1), torch.ones(1, count, 3), atol=1e-5)
    assert int(scene.emitters.sum()) == EMITTERS
    assert 0.02 < triangle_areas(scene.triangles[0].numpy()).sum() < 0.2


def test_scene_depends_on_the_seed_only() -> None:
    device = torch.device("cpu")
    assert torch.equal(random_triangle_batch(64, 1, device).triangles, random_triangle_batch(64, 1, device).triangles)
    assert not torch.equal(
        random_triangle_batch(64, 1, device).triangles, random_triangle_batch(64, 2, device).triangles
    )
