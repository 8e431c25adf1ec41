import pytest
import torch

from rfcli.study.scenes.random_triangles import LIGHTS, triangle_soup


@pytest.mark.parametrize("count", [64, 1000, 4096])
def test_soup_is_a_scene_of_exactly_that_many_triangles(count: int) -> None:
    scene = triangle_soup(count, 0, torch.device("cpu"))
    assert scene.triangles.shape == (1, count, 3, 3)
    assert scene.triangles.abs().max() <= 0.5
    assert torch.allclose(scene.vn.norm(dim=-1), torch.ones(1, count, 3), atol=1e-5)
    assert int(scene.emitters.sum()) == LIGHTS
    edges = scene.triangles[:, :, 1] - scene.triangles[:, :, 0]
    area = torch.linalg.cross(edges, scene.triangles[:, :, 2] - scene.triangles[:, :, 0]).norm(dim=-1).sum() / 2
    assert 0.02 < area < 0.2  # about the same however many there are


def test_soup_follows_its_seed() -> None:
    device = torch.device("cpu")
    assert torch.equal(triangle_soup(64, 1, device).triangles, triangle_soup(64, 1, device).triangles)
    assert not torch.equal(triangle_soup(64, 1, device).triangles, triangle_soup(64, 2, device).triangles)
