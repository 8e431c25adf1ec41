"""The keys of each block, compared with a greedy descent that uses a priority queue."""

import heapq

import pytest
import torch

from rfcli.attention import Context, create
from rfcli.attention.emitter_clusters import MAX_EMITTER_KEYS
from rfcli.attention.nearfar.plan import BLOCK, ScenePlan, choose_leaf_size
from tests.support.attention_reference import members
from tests.support.attention_scenes import padded_context, random_context

CASES = [(300, 24), (1000, 100), (700, 1), (2100, 64)]


def only_plan(context: Context, keys: int) -> ScenePlan:
    (plan,) = create("nearfar", 1, 64, keys=keys).plan(context)
    assert plan is not None
    return plan


def keys_of_blocks(plan: ScenePlan) -> list[list[int]]:
    return [[row for row in rows if row < plan.nodes + len(plan.exact.log_weight)] for rows in plan.key_rows.tolist()]


@pytest.mark.parametrize(("tokens", "keys"), CASES)
def test_keys_of_a_block_hold_every_real_token_once_and_emitters_apart(tokens: int, keys: int) -> None:
    context = padded_context(1, tokens)
    plan = only_plan(context, keys)
    rows = members(plan)
    real = context.key_mask[0].nonzero()[:, 0].tolist()
    exact = [0, *context.emitters[0].nonzero()[:, 0].tolist()]
    assert plan.exact.tokens.tolist() == sorted(set(exact))
    exact_rows = set(range(plan.nodes, plan.nodes + len(plan.exact.log_weight)))
    assert len(exact_rows) == min(len(exact), 1 + MAX_EMITTER_KEYS)
    for block in keys_of_blocks(plan):
        assert sorted(token for row in block for token in rows[row]) == real
        assert exact_rows <= set(block)
        assert len(block) <= keys + len(exact_rows)


@pytest.mark.parametrize("emitters", [3, 64, 65, 700])
def test_every_token_is_a_query_once(emitters: int) -> None:
    emits = torch.zeros(1, 1500, dtype=torch.bool)
    emits[:, -emitters:] = True
    plan = only_plan(random_context(1, 1500, emitters=emits, registers=2), 64)
    queries = plan.order[: plan.queries].tolist() + plan.exact_queries.tolist()
    assert sorted(queries) == list(range(1500))
    assert len(plan.exact_queries) == (2 if emitters > MAX_EMITTER_KEYS else 2 + emitters)
    assert len(plan.key_rows) == -(-plan.queries // BLOCK)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("tokens", "keys"), CASES)
def test_keys_equal_those_of_a_greedy_descent(tokens: int, keys: int, weighted: bool) -> None:
    generator = torch.Generator().manual_seed(7)
    log_weight = torch.randn(1, tokens, generator=generator) if weighted else torch.zeros(1, tokens)
    context = random_context(1, tokens, log_weight=log_weight)
    context.features[..., 3:] *= 0.1  # so that blocks are small in space, and distances matter
    plan = only_plan(context, keys)
    rows = members(plan)
    features = context.features[0].double()
    extent = (features[:, :3].amax(0) - features[:, :3].amin(0)).max() / 2
    features[:, :3] /= extent
    weight = (log_weight[0] - log_weight[0].logsumexp(0)).double().exp() * tokens

    def spread(row: int) -> tuple[torch.Tensor, float]:
        w, x = weight[rows[row], None], features[rows[row]]
        mean = (w * x).sum(0) / w.sum()
        variance = (w * (x - mean) ** 2).sum(0) / w.sum()
        return mean[:3], float(w.sum() * (variance[:3].sum() + variance[3:].sum() / 4))

    sizes, starts = level_sizes(plan)
    spreads = [spread(row) if rows[row] else None for row in range(plan.nodes)]
    for block, chosen in enumerate(keys_of_blocks(plan)):
        queries = features[plan.order[block * BLOCK : min((block + 1) * BLOCK, plan.count)], :3]
        centre = queries.mean(0)
        radius = (queries - centre).square().sum(1).mean().sqrt()

        def score(row: int, centre: torch.Tensor = centre, radius: torch.Tensor = radius) -> float:
            mean, value = spreads[row]  # type: ignore[misc]
            return value / (max(0.0, float((mean - centre).norm() - radius)) + 0.15)

        root = plan.nodes - 1
        queue, final = [(-score(root), len(sizes) - 1, root)], []
        replaced = 0
        while queue and replaced < keys - 1:
            _, level, row = heapq.heappop(queue)
            replaced += 1
            left = starts[level - 1] + 2 * (row - starts[level])
            for child in (left, left + 1):
                if level == 1 and rows[child]:
                    final.append(child)
                elif rows[child]:
                    heapq.heappush(queue, (-score(child), level - 1, child))
        expected = {*final, *(row for _, _, row in queue)}
        nodes = {row for row in chosen if row < plan.nodes}
        assert len(nodes ^ expected) <= 0.02 * keys  # rounding may swap two scores


def level_sizes(plan: ScenePlan) -> tuple[list[int], list[int]]:
    nodes = len(plan.order) // plan.leaf_size
    sizes = [nodes + nodes % 2 if nodes > 1 else 1]
    while sizes[-1] > 1:
        half = sizes[-1] // 2
        sizes.append(half + half % 2 if half > 1 else 1)
    return sizes, [sum(sizes[:level]) for level in range(len(sizes))]


def test_each_scene_of_a_batch_has_its_own_plan_and_small_scenes_have_none() -> None:
    mask = torch.ones(3, 100, dtype=torch.bool)
    mask[1, 60:] = False
    context = random_context(3, 100, key_mask=mask)
    plans = create("nearfar", 1, 64, keys=40).plan(context)
    assert plans[1] is None
    alone = only_plan(Context(features=context.features[2:]), 40)
    assert plans[2] is not None
    assert torch.equal(plans[2].key_rows, alone.key_rows)
    assert torch.equal(plans[2].order, alone.order)


@pytest.mark.parametrize(
    ("count", "keys", "size"), [(2000, 1024, 1), (65536, 1024, 8), (65535, 1024, 4), (10**9, 1, 128)]
)
def test_leaves_grow_with_the_scene(count: int, keys: int, size: int) -> None:
    assert choose_leaf_size(count, keys) == size


def test_identical_triangles_have_a_valid_plan() -> None:
    plan = only_plan(Context(features=torch.ones(1, 400, 6)), 32)
    rows = members(plan)
    for block in keys_of_blocks(plan):
        assert sorted(token for row in block for token in rows[row]) == list(range(400))
