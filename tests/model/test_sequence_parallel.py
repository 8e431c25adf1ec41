"""Two processes that share the tokens compute what one does."""

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

CASES = [
    ("performer", {}),
    ("performer", {"feature_map": "favor"}),
    ("hedgehog", {}),
]
COUNTS = (64, 1001)


def stage(attention: str, options: dict[str, str], key_weight: str) -> RenderFormer:
    model = small_model(attention=attention, attention_options=options, key_weight=key_weight)
    for norm in (one for name, one in model.named_parameters() if "q_norm" in name or "k_norm" in name):
        norm.data *= 3.0  # logits as large as trained ones, where features span many powers of e
    return model


def padded(count: int) -> SceneBatch:
    """Two scenes, the second with padding in so long a stretch that one process has nothing else."""
    batch = random_batch(2, count)
    batch.mask[1, count // 3 :] = False
    return batch


def attended(group: object) -> torch.Tensor:
    """One operation whose keys differ in size between the halves by e^40."""
    generator = torch.Generator().manual_seed(5)
    q, k, v = torch.randn(3, 1, 2, 600, 16, generator=generator)
    k[:, :, 300:] *= 4
    layer = create("performer", heads=2, head_dim=16)
    mine = slice(0, 600) if group is None else token_share(600, dist.get_rank(), 2)
    return layer(q[:, :, mine], k[:, :, mine], v[:, :, mine], Context(group=group))


@torch.no_grad()
def found_together(processes: Processes) -> dict[str, torch.Tensor]:
    """What one of the processes finds, in all cases."""
    found = {"operation": attended(dist.group.WORLD)}
    for attention, options in CASES:
        for count in COUNTS:
            for key_weight in ("count", "area"):
                model = stage(attention, options, key_weight)
                name = name_of(attention, options, count, key_weight)
                found[name] = view_independent_distributed(model, padded(count), dist.group.WORLD)
    return found


@pytest.fixture(scope="module")
def spread() -> list[dict[str, torch.Tensor]]:
    """What each of two processes has found."""
    return in_two_processes(found_together)


@pytest.mark.parametrize("key_weight", ["count", "area"])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("attention", "options"), CASES)
def test_the_stage_is_that_of_one_process(
    spread: list[dict[str, torch.Tensor]], attention: str, options: dict[str, str], count: int, key_weight: str
) -> None:
    model, batch = stage(attention, options, key_weight), padded(count)
    with torch.no_grad():
        alone = model.view_independent(batch)
    real = torch.nn.functional.pad(batch.mask, (SMALL.num_register_tokens, 0), value=True)
    for found in spread:
        together = found[name_of(attention, options, count, key_weight)]
        assert together.shape == alone.shape
        assert (together - alone)[real].abs().max() <= 1e-5 * alone[real].abs().max()


def test_an_operation_over_keys_of_very_different_sizes_is_that_of_one_process(
    spread: list[dict[str, torch.Tensor]],
) -> None:
    together = torch.cat([found["operation"] for found in spread], 2)
    with torch.no_grad():
        alone = attended(None)
    assert (together - alone).abs().max() <= 1e-5 * alone.abs().max()


@pytest.mark.parametrize(("tokens", "processes"), [(10, 2), (11, 2), (3, 4), (66, 3)])
def test_shares_are_everything_once_and_nearly_equal(tokens: int, processes: int) -> None:
    shares = [range(tokens)[token_share(tokens, rank, processes)] for rank in range(processes)]
    assert [token for part in shares for token in part] == list(range(tokens))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("attention", ["sdpa", "nearfar"])
def test_mechanisms_that_read_keys_one_by_one_are_refused(attention: str) -> None:
    model = small_model(attention=attention)
    with pytest.raises(InputError, match=f"{attention} attention reads keys that other processes have"):
        view_independent_distributed(model, padded(64), None)


def name_of(attention: str, options: dict[str, str], count: int, key_weight: str) -> str:
    return f"{attention}-{options.get('kernel')}-{count}-{key_weight}"
