"""The weights of emitters as keys: shares of the light, which do not depend on how a lamp is cut."""

import pytest
import torch
from torch import Tensor

from rfcli.attention.emitter_clusters import MAX_EMITTER_KEYS
from rfcli.model import SceneBatch, attention_context
from rfcli.model.attention_context import LAMP_WIDTH, emitter_weights
from rfcli.model.batch import triangle_areas
from rfcli.model.config import BASE
from rfcli.model.triangle_tokens import centroid_mask
from tests.support.model_scenes import cameras, random_batch, small_model

MECHANISMS: list[tuple[str, dict[str, object]]] = [
    ("sdpa", {}),
    ("performer", {}),
    ("performer", {"feature_map": "favor"}),
    ("hedgehog", {}),
    ("nearfar", {"keys": 6}),
]


def quarters(corners: Tensor) -> Tensor:
    """[N, 3, 3] -> [4 N, 3, 3], cut at the midpoints of the edges."""
    a, b, c = corners.unbind(1)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (bc, ca, ab)]
    return torch.cat([torch.stack(part, 1) for part in parts])


def rectangle(width: float, depth: float, cells: int = 1) -> Tensor:
    """[2 cells, 3, 3] a rectangle of cells along its width."""
    x = torch.linspace(0, width, cells + 1)
    low = torch.stack([x, torch.zeros_like(x), torch.zeros_like(x)], -1)
    high = low + torch.tensor([0.0, depth, 0.0])
    return torch.cat([torch.stack([low[:-1], low[1:], high[1:]], 1), torch.stack([low[:-1], high[1:], high[:-1]], 1)])


def weights(corners: Tensor, radiance: Tensor | float = 1.0) -> Tensor:
    """Of emitters of the given radiance."""
    return emitter_weights(corners[None], (triangle_areas(corners) * radiance)[None])[0]


def test_small_triangles_have_the_weights_of_the_definition() -> None:
    """Pair by pair, with the Gaussian at the centroids."""
    generator = torch.Generator().manual_seed(0)
    corners = 0.4 * torch.rand(30, 1, 3, generator=generator) + 1e-3 * torch.randn(30, 3, 3, generator=generator)
    radiance = torch.rand(30, generator=generator)
    share = triangle_areas(corners) * radiance
    share = share / share.sum()
    centre, pairs = corners.mean(1), 0.0
    for i in range(30):
        for j in range(30):
            distance = float((centre[i] - centre[j]).norm())
            pairs += float(share[i] * share[j]) * torch.exp(torch.tensor(-((distance / LAMP_WIDTH) ** 2) / 2))
    torch.testing.assert_close(weights(corners, radiance), share / pairs, rtol=1e-3, atol=0)


def test_a_small_lamp_weighs_one_and_equal_lamps_far_apart_one_each() -> None:
    lamp = rectangle(0.01, 0.01)
    assert float(weights(lamp).sum()) == pytest.approx(1, abs=2e-3)
    three = torch.cat([lamp, lamp + 2, lamp - 1000])
    assert weights(three).view(3, 2).sum(1).tolist() == pytest.approx([1, 1, 1], abs=0.01)


def test_lamps_share_the_weight_by_their_light() -> None:
    """Shares 0.75 and 0.25: 1 / (0.75^2 + 0.25^2) = 1.6 lamps."""
    lamp = rectangle(0.01, 0.01)
    found = weights(torch.cat([lamp, lamp + 2]), torch.tensor([3.0, 3.0, 1.0, 1.0])).view(2, 2).sum(1)
    assert found.tolist() == pytest.approx([1.2, 0.4], abs=3e-3)


def test_weights_do_not_depend_on_the_unit_of_light() -> None:
    lamps = torch.cat([rectangle(0.2, 0.1), rectangle(0.1, 0.1) + 1])
    torch.testing.assert_close(weights(lamps, 1e-4), weights(lamps, 1e4))


@pytest.mark.parametrize(("size", "tolerance"), [(0.02, 1e-4), (0.15, 0.01), (0.45, 0.1), (1.5, 0.1)])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_cutting_lamps_keeps_their_weight(size: float, tolerance: float, times: int) -> None:
    lamps = torch.cat([rectangle(size, 0.6 * size), rectangle(size, size) + torch.tensor([0.0, 0.0, 2.0])])
    pieces = lamps
    for _ in range(times):
        pieces = quarters(pieces)
    cut, whole = weights(pieces).view(4**times, 4).sum(0), weights(lamps)
    torch.testing.assert_close(cut, whole, rtol=tolerance, atol=0)


def test_cutting_one_triangle_of_a_lamp_keeps_its_share() -> None:
    lamp = rectangle(0.05, 0.05)
    assert weights(torch.cat([lamp[:1], quarters(lamp[1:])])).tolist() == pytest.approx([0.5, *[0.125] * 4], rel=0.03)


def test_a_strip_of_1000_triangles_weighs_as_much_as_two() -> None:
    coarse, fine = rectangle(1, 0.1), rectangle(1, 0.1, 500)
    assert float(weights(fine).sum()) == pytest.approx(float(weights(coarse).sum()), rel=0.1)


def test_a_large_lamp_weighs_as_much_as_its_area_in_lamps() -> None:
    lamp = rectangle(6.0, 6.0)
    for _ in range(5):
        lamp = quarters(lamp)
    assert float(weights(lamp).sum()) == pytest.approx(36 / (2 * torch.pi * LAMP_WIDTH**2), rel=0.1)


def test_the_number_of_many_lamps_is_computed_from_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    lamps = torch.cat([quarters(quarters(quarters(rectangle(0.3, 0.3)))), quarters(quarters(rectangle(0.2, 0.1))) + 1])
    expected = weights(lamps)
    monkeypatch.setattr(attention_context, "MAX_SAMPLED", 40)
    torch.testing.assert_close(weights(lamps), expected, rtol=0.1, atol=0)


def test_weights_depend_on_no_other_triangle_and_no_other_scene() -> None:
    lamp, other = rectangle(0.2, 0.2, 3), rectangle(5.0, 5.0)
    triangles = torch.stack([torch.cat([other, lamp]), torch.cat([lamp, other])])
    light = triangle_areas(triangles) * torch.tensor([[0.0] * 2 + [1.0] * 6, [1.0] * 3 + [0.0] * 5])
    found = emitter_weights(triangles, light)
    torch.testing.assert_close(found[0, 2:], weights(lamp))
    torch.testing.assert_close(found[1, :3], weights(lamp[:3]))
    assert (found[light == 0] == 0).all()


def test_scenes_without_light_have_no_weights() -> None:
    assert emitter_weights(rectangle(1, 1)[None], torch.zeros(1, 2)).tolist() == [[0.0, 0.0]]


def with_copies(batch: SceneBatch, copies: int) -> SceneBatch:
    """The scene with its lamp, the first triangle, stored several times, the copies last."""
    order = torch.cat([torch.arange(batch.mask.shape[1]), torch.zeros(copies - 1, dtype=torch.long)])
    assert batch.material is not None
    return SceneBatch(batch.triangles[:, order], batch.vn[:, order], batch.mask[:, order], batch.material[:, order])


@torch.no_grad()
@pytest.mark.parametrize("copies", [4, 90])
@pytest.mark.parametrize(("attention", "options"), MECHANISMS)
def test_the_number_of_keys_of_a_lamp_changes_nothing(attention: str, options: dict[str, object], copies: int) -> None:
    """Copies of the lamp share its weight, also as 64 clusters, and registers keep their positions.

    As queries clustered emitters are part of a block of near-far attention, whose mean squared query they change.
    """
    model = small_model(attention=attention, attention_options=options)
    batch = random_batch(triangles=30)
    count = model.config.num_register_tokens + 30
    expected = model.view_independent(batch)
    found = model.view_independent(with_copies(batch, copies))[:, :count]
    if attention == "nearfar" and copies > MAX_EMITTER_KEYS:
        assert (found - expected).square().mean() < 1e-3 * expected.var()
    else:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    counted = small_model(attention=attention, attention_options=options, key_weight="count")
    counted.load_state_dict(model.state_dict())
    changed = counted.view_independent(with_copies(batch, copies))[:, :count] - counted.view_independent(batch)
    assert changed.abs().max() > 0.01


@torch.no_grad()
@pytest.mark.parametrize("attention", ["sdpa", "performer"])
def test_padding_and_other_scenes_of_a_batch_change_nothing(attention: str) -> None:
    """Relative light and channels apart, with a lamp that has no blue."""
    model = small_model(attention=attention, channels="apart", light="relative")
    batch = with_copies(random_batch(scenes=2, triangles=10), 70)
    assert batch.material is not None
    batch.material[0, 0, 12] = 0.0
    batch.mask[1, 7:] = False
    alone = SceneBatch(batch.triangles[1:, :7], batch.vn[1:, :7], batch.mask[1:, :7], batch.material[1:, :7])
    registers = model.config.num_register_tokens
    together = model.view_independent(batch)[3:, : registers + 7]
    torch.testing.assert_close(together, model.view_independent(alone), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("turn_to_cam_coord", [False, True])
def test_registers_are_at_the_centroid_of_surfaces_that_do_not_emit(turn_to_cam_coord: bool) -> None:
    """In both stages: the picture is the same with more copies of the lamp, except for rounding."""
    model = small_model(turn_to_cam_coord=turn_to_cam_coord, channels="apart")
    batch = random_batch(scenes=2, triangles=20)
    c2w, fov = cameras(2, 2)
    expected = model(batch, c2w, fov, 16)
    torch.testing.assert_close(model(with_copies(batch, 5), c2w, fov, 16), expected, rtol=1e-3, atol=1e-4)
    mask = centroid_mask(batch, model.config)
    assert mask[:, 1:].all()
    assert not mask[:, 0].any()
    assert centroid_mask(batch, BASE).all()


def test_a_scene_of_emitters_alone_has_their_centroid() -> None:
    batch = random_batch(triangles=3)
    assert batch.material is not None
    batch.material[..., 10:] = 1.0
    batch.mask[0, 2] = False
    assert centroid_mask(batch, small_model().config).tolist() == [[True, True, False]]
