from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.synth import SceneOptions, random_scene
from rfcli.synth.candidates import SPLITS, random_stream, split_of


def test_the_training_split_uses_the_seed_without_spawn_key() -> None:
    assert (random_stream(3, 5, 1, "train").random(4) == np.random.default_rng([3, 5, 1]).random(4)).all()


def test_streams_differ_between_splits() -> None:
    """Neighbouring seeds, scenes and attempts, and a 64-bit seed whose words equal those of another scene."""
    seeds = (0, 1, 2, 5 + (7 << 32))
    first = {
        split: {random_stream(s, i, a, split).random() for s in seeds for i in range(8) for a in range(3)}
        for split in SPLITS
    }
    assert all(len(numbers) == 4 * 8 * 3 for numbers in first.values())
    for one, other in combinations(SPLITS, 2):
        assert not first[one] & first[other]


def test_splits_share_no_shape() -> None:
    triangles = {}
    for split in SPLITS:
        scene = [random_scene(0, i, SceneOptions((256, 600), 1, split=split)).triangles for i in range(4)]
        objects = np.concatenate([s[(np.abs(s[..., :2]) < 0.45).all(axis=(1, 2))] for s in scene])
        sides = np.linalg.norm(objects - np.roll(objects, 1, axis=1), axis=2)
        triangles[split] = {tuple(np.round(np.sort(row), 6)) for row in sides}
    for one, other in combinations(SPLITS, 2):
        shared = triangles[one] & triangles[other]
        assert len(shared) < 0.02 * len(triangles[one])  # rooms have equal wall cells


def test_files_are_assigned_by_their_content() -> None:
    count = Counter(split_of(f"mesh {i}".encode()) for i in range(1600))
    assert count["validation"] == pytest.approx(100, abs=35)
    assert count["test"] == pytest.approx(100, abs=35)
    assert split_of(b"mesh 7") == split_of(b"mesh 7")


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(InputError, match="`split`"):
        SceneOptions((256, 600), 1, split="exam")  # type: ignore[arg-type]
