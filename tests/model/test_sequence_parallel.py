"""The view-independent stage distributed over two processes, against one process."""

import itertools

import pytest
import torch
import torch.distributed as dist

from rfcli.attention import Context, create
from rfcli.errors import InputError
from rfcli.model import RenderFormer, SceneBatch
from rfcli.model.sequence_parallel import token_share, view_independent_distributed
from rfcli.runtime.processes import Processes
from tests.support.model_scenes import SMALL, random_batch, small_model
from tests.support.two_processes import in_two_processes

MECHANISMS = [
    ("performer", {}),
    ("performer", {"feature_map": "favor"}),
    ("hedgehog", {}),
]
COUNTS = (64, 1001)
KEY_WEIGHTS = ("count", "area")


def make_model(attention: str, options: dict[str, str], key_weight: str) -> RenderFormer:
    model = small_model(attention=attention, attention_options=options, key_weight=key_weight)
    for name, parameter in model.named_parameters():
        if "q_norm" in name or "k_norm" in name:
            parameter.data *= 3.0  # logits as large as those of trained models, whose features span many powers of e
    return model


def padded(count: int) -> SceneBatch:
    """Two scenes; the second has so much padding that one of two processes holds only padding."""
    batch = random_batch(2, count)
    batch.mask[1, count // 3 :] = False
    return batch


def attend(group: object) -> torch.Tensor:
    """Performer attention; the features of keys in the second half are larger by e^40."""
    generator = torch.Generator().manual_seed(5)
    q, k, v = torch.randn(3, 1, 2, 600, 16, generator=generator)
    k[:, :, 300:] *= 4
    layer = create("performer", heads=2, head_dim=16)
    own = slice(0, 600) if group is None else token_share(600, dist.get_rank(), 2)
    return layer(q[:, :, own], k[:, :, own], v[:, :, own], Context(group=group))


def case_name(attention: str, options: dict[str, str], count: int, key_weight: str) -> str:
    return f"{attention}-{options.get('feature_map')}-{count}-{key_weight}"


@torch.no_grad()
def compute_all_cases(processes: Processes) -> dict[str, torch.Tensor]:
    """The results of all cases in one of two processes, by name."""
    results = {"attention": attend(dist.group.WORLD)}
    for (attention, options), count, key_weight in itertools.product(MECHANISMS, COUNTS, KEY_WEIGHTS):
        model = make_model(attention, options, key_weight)
        name = case_name(attention, options, count, key_weight)
        results[name] = view_independent_distributed(model, padded(count), dist.group.WORLD)
    return results


@pytest.fixture(scope="module")
def results() -> list[dict[str, torch.Tensor]]:
    """The results of both processes."""
    return in_two_processes(compute_all_cases)


@pytest.mark.slow
@pytest.mark.parametrize("key_weight", KEY_WEIGHTS)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("attention", "options"), MECHANISMS)
def test_distributed_stage_matches_one_process(
    results: list[dict[str, torch.Tensor]], attention: str, options: dict[str, str], count: int, key_weight: str
) -> None:
    model, batch = make_model(attention, options, key_weight), padded(count)
    with torch.no_grad():
        alone = model.view_independent(batch)
    real = torch.nn.functional.pad(batch.mask, (SMALL.num_register_tokens, 0), value=True)
    for by_name in results:
        distributed = by_name[case_name(attention, options, count, key_weight)]
        assert distributed.shape == alone.shape
        assert (distributed - alone)[real].abs().max() <= 1e-5 * alone[real].abs().max()


@pytest.mark.slow
def test_distributed_attention_matches_one_process_for_keys_of_very_different_sizes(
    results: list[dict[str, torch.Tensor]],
) -> None:
    distributed = torch.cat([by_name["attention"] for by_name in results], 2)
    with torch.no_grad():
        alone = attend(None)
    assert (distributed - alone).abs().max() <= 1e-5 * alone.abs().max()


@pytest.mark.parametrize(("tokens", "processes"), [(10, 2), (11, 2), (3, 4), (66, 3)])
def test_shares_cover_all_tokens_once_and_are_nearly_equal(tokens: int, processes: int) -> None:
    shares = [range(tokens)[token_share(tokens, rank, processes)] for rank in range(processes)]
    assert [token for part in shares for token in part] == list(range(tokens))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("attention", ["sdpa", "nearfar"])
def test_mechanisms_whose_keys_cannot_be_split_are_refused(attention: str) -> None:
    model = small_model(attention=attention)
    with pytest.raises(InputError, match=f"{attention} attention cannot be split over processes"):
        view_independent_distributed(model, padded(64), None)
