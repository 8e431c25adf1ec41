import pytest

from rfcli.dataset.shard import WHOLE, Shard, read_shard
from rfcli.errors import InputError


@pytest.mark.parametrize(("parts", "scenes"), [(1, 7), (3, 7), (16, 774), (5, 3)])
def test_shards_share_out_every_scene_once_and_evenly(parts: int, scenes: int) -> None:
    shares = [Shard(part, parts).indices(scenes) for part in range(1, parts + 1)]
    assert sorted(index for share in shares for index in share) == list(range(scenes))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_larger_dataset_adds_to_a_shard_and_moves_nothing() -> None:
    small, large = Shard(2, 3).indices(10), Shard(2, 3).indices(20)
    assert list(large[: len(small)]) == list(small)


def test_notation() -> None:
    assert read_shard("3/16") == read_shard(" 3 / 16 ") == Shard(3, 16)
    assert str(Shard(3, 16)) == "3/16"
    assert read_shard("1/1") == WHOLE


@pytest.mark.parametrize("text", ["", "3", "3/", "/16", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1.0/4"])
def test_other_notations_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--shard"):
        read_shard(text)
