"""Clusters of emitters: which are pooled, their weights, and the attention to them."""

import dataclasses

import pytest
import torch
from torch import Tensor

from rfcli.attention import Context, create
from rfcli.attention.emitter_clusters import MAX_EMITTER_KEYS, SceneKeys, cluster, exact_keys
from tests.support.attention_reference import dense_softmax, exact_members
from tests.support.attention_scenes import with_plan

REGISTERS = 2


def lamps(*sizes: int) -> Tensor:
    """[E, 6] small lamps of so many triangles each, two units apart, with random normals."""
    generator = torch.Generator().manual_seed(3)
    places = torch.cat([torch.full((size,), 2.0 * number) for number, size in enumerate(sizes)])
    points = 0.1 * torch.randn(len(places), 3, generator=generator)
    points[:, 0] += places
    return torch.cat([points, torch.nn.functional.normalize(torch.randn(len(places), 3, generator=generator))], 1)


def scene_context(emitters: Tensor, others: int = 40) -> Context:
    """Registers, triangles that do not emit, then emitters with the given features and random weights."""
    features = torch.cat([torch.zeros(REGISTERS + others, emitters.shape[1]), emitters])[None]
    emits = torch.arange(features.shape[1])[None] >= REGISTERS + others
    weight = torch.randn(emits.shape, generator=torch.Generator().manual_seed(4))
    return Context(registers=REGISTERS, emitters=emits, log_weight=weight, features=features)


def keys_of(context: Context) -> SceneKeys:
    (keys,) = exact_keys(context)
    return keys


def test_up_to_64_emitters_are_keys_of_their_own() -> None:
    keys = keys_of(scene_context(lamps(40, 24)))
    assert not keys.clustered
    assert exact_members(keys) == [[token] for token in [0, 1, *range(42, 106)]]


def test_weights_of_clusters_are_sums_and_registers_stay_alone() -> None:
    context = scene_context(lamps(200, 30, 1))
    keys = keys_of(context)
    rows = exact_members(keys)
    assert rows[:REGISTERS] == [[0], [1]]
    assert len(rows) == REGISTERS + MAX_EMITTER_KEYS
    assert context.log_weight is not None
    sums = torch.stack([context.log_weight[0, row].double().exp().sum() for row in rows])
    torch.testing.assert_close(keys.log_weight.double().exp(), sums, rtol=1e-5, atol=0)
    shares = torch.zeros(len(rows)).index_add(0, keys.key, keys.share)
    torch.testing.assert_close(shares, torch.ones(len(rows)))


def test_lamps_are_not_pooled_with_one_another() -> None:
    sizes = (500, 30, 1)
    context = scene_context(lamps(*sizes))
    keys = keys_of(dataclasses.replace(context, log_weight=None))
    lamp = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes)).tolist()
    for row in exact_members(keys)[REGISTERS:]:
        assert len({lamp[token - REGISTERS - 40] for token in row}) == 1


def test_emitters_of_other_features_are_not_pooled() -> None:
    points = torch.zeros(100, 4)
    points[::2, 3] = 1.0
    label = cluster(points, torch.full((100,), 0.01), MAX_EMITTER_KEYS)
    assert label.unique().tolist() == [0, 1]  # points that are equal cannot be separated
    assert (label[::2] != label[1::2]).all()


def test_many_clusters_leave_little_variance() -> None:
    points = torch.rand(1000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.rand(1000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    label = cluster(points, weight / weight.sum(), 200)
    assert sorted(label.unique().tolist()) == list(range(200))

    def spread(rows: Tensor) -> float:
        mean = (weight[rows, None] * points[rows]).sum(0) / weight[rows].sum()
        return float((weight[rows, None] * (points[rows] - mean).square()).sum())

    within = sum(spread(label == number) for number in range(200))
    assert within < 0.05 * spread(torch.ones(1000, dtype=torch.bool))


@pytest.mark.parametrize("name", ["performer", "hedgehog", "nearfar"])
def test_a_strip_of_1000_emitters_is_close_to_one_of_64(name: str) -> None:
    """Keys and values that are smooth along the strip, with logits of up to 5."""

    def strip(count: int) -> tuple[Tensor, Tensor, Context]:
        x = (torch.arange(count) + 0.5) / count
        smooth = torch.stack([torch.sin(3 * x), torch.cos(2 * x), x], -1)
        context = scene_context(torch.cat([smooth, torch.zeros(count, 3)], 1))
        context.log_weight[:] = 0.0  # type: ignore[index]
        context.log_weight[:, -count:] = -torch.log(torch.tensor(float(count)))  # type: ignore[index]
        rows = torch.cat([torch.randn(REGISTERS + 40, 32, generator=generator()), smooth @ projection])
        return 2 * rows[None, None], rows[None, None].flip(-1), context

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(1)

    projection = torch.randn(3, 32, generator=generator())
    q = 2 * torch.randn(1, 1, 50, 32, generator=generator())
    layer = create(name, heads=1, head_dim=32, **({"keys": 20} if name == "nearfar" else {}))
    results = []
    for count in (64, 1000):
        k, v, context = strip(count)
        queries = torch.cat([q, k[:, :, q.shape[2] :]], 2)
        results.append(layer(queries, k, v, with_plan(layer, context))[:, :, : REGISTERS + 40])
        if name == "nearfar":  # the others approximate the keys that do not emit, too
            exact = dense_softmax(queries, k, v, context.log_weight)[:, :, : REGISTERS + 40]
            assert (results[-1] - exact).square().mean() < 0.01 * exact.var()
    assert (results[0] - results[1]).square().mean() < 1e-3 * results[0].var()
