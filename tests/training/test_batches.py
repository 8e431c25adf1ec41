"""Batches by step: the same from files, packs and URLs, and in shares of any number of processes."""

import dataclasses
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch

from rfcli.dataset import pack_dataset
from rfcli.errors import InputError
from rfcli.model import RenderFormerConfig
from rfcli.runtime.processes import Processes
from rfcli.training import batches as module
from rfcli.training.batch import StackedScenes
from rfcli.training.batches import MAX_REPLACEMENTS, Batches, VisibilityCache
from rfcli.training.phases import Phase
from rfcli.training.scenes import rays_per_pixel, read_dataset
from tests.support.model_scenes import SMALL
from tests.support.training_datasets import write_dataset
from tests.support.training_scenes import RESOLUTION, train_options

SCENES, STEPS = 12, 9
TRACED = dataclasses.replace(SMALL, visibility="first-hit", direct="traced")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("batches") / "data", SCENES)


def batches(
    place: str | Path, processes: Processes | None = None, config: RenderFormerConfig = TRACED, **changes: object
) -> Batches:
    options = train_options(Path("unused"), data=place, **{"batch": 4, "steps": STEPS, **changes})
    data = read_dataset(place, options.curriculum, config)
    return Batches(data, options, True, rays_per_pixel(config), True, processes or Processes())


def equal(a: StackedScenes, b: StackedScenes) -> bool:
    pairs = [(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(a)]
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs)


def test_packs_and_urls_give_the_same_bits(folder: Path, tmp_path: Path) -> None:
    pack_dataset(folder_with_record(folder), tmp_path / "packed")
    url = f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").put(f"{tmp_path / 'packed'}/", f"{url}/", recursive=True)
    expected = batches(folder)
    for place in (tmp_path / "packed", folder.as_uri(), url):
        others = batches(place)
        assert all(equal(expected[step], others[step]) for step in range(STEPS))
    assert not equal(expected[0], expected[1])


def folder_with_record(folder: Path) -> Path:
    (folder / "dataset.json").write_text('{"format": 2, "seed": 0, "options": {}}')
    return folder


@pytest.mark.parametrize("count", [2, 3])
def test_shares_of_processes_make_the_batch_of_one(folder: Path, count: int) -> None:
    whole = batches(folder, batch=6)
    parts = [batches(folder, Processes(rank, count), batch=6 // count) for rank in range(count)]
    for step in range(STEPS):
        one, shares = whole[step], [part[step] for part in parts]
        assert sum(share.share for share in shares) == pytest.approx(1)
        for rank, share in enumerate(shares):
            if share.share == 0:
                continue
            length = share.mask.shape[1]
            for name in ("triangles", "material", "mask"):
                assert torch.equal(getattr(share, name), getattr(one, name)[rank::count, :length])
            for name in ("c2w", "images", "visible"):
                assert torch.equal(getattr(share, name), getattr(one, name)[rank::count])


def test_a_process_reads_only_its_share(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, read = batches(folder, Processes(1, 2), batch=2), []
    scenes = part.data.scenes(0)
    original = scenes.read
    monkeypatch.setattr(scenes, "read", lambda places: read.extend(places) or original(places))
    for step in range(2):
        _, chosen = part.chosen(step)
        _ = part[step]
        assert read == [int(place) for place in chosen[1::2]]
        read.clear()


def test_the_order_of_steps_does_not_matter(folder: Path) -> None:
    """Neither do epochs and held views: each step is made alone, then all in a shuffled order."""
    alone = [batches(folder)[step] for step in range(STEPS)]
    together = batches(folder)
    for step in np.random.default_rng(0).permutation(STEPS):
        assert equal(together[int(step)], alone[step])


def test_visible_triangles_are_those_without_a_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached, found = batches(folder), [[], []]
    for _ in range(2):
        found[0] = [cached[step] for step in range(STEPS)]
    assert len(cached._visibility._views) > 8
    monkeypatch.setattr(module, "VISIBILITY_CACHE_BYTES", 0)
    uncached = batches(folder)
    found[1] = [uncached[step] for step in range(STEPS)]
    assert not uncached._visibility._views
    assert all(map(equal, *found))
    assert found[0][0].visible.shape[-1] == 2 * RESOLUTION  # rays of traced light


def test_models_without_first_hits_get_no_visible_triangles(folder: Path) -> None:
    config = dataclasses.replace(SMALL, visibility="attention", direct="network")
    assert batches(folder, config=config)[0].visible is None


def test_the_cache_holds_the_last_used_views() -> None:
    views = [np.random.default_rng(i).integers(0, 9, (1, 16, 16)).astype(np.int32) for i in range(6)]
    one = VisibilityCache(10**6)
    one.put((0, 0, 0), views[0])
    cache = VisibilityCache(3 * one._bytes + one._bytes // 2)
    for number, view in enumerate(views):
        cache.put((0, number, 0), view)
        assert np.array_equal(cache.get((0, 0, 0)), views[0])
    held = [number for number in range(6) if cache.get((0, number, 0)) is not None]
    assert held == [0, 4, 5]
    assert np.array_equal(cache.get((0, 5, 0)), views[5])


def test_the_next_scene_replaces_a_broken_one_in_any_number_of_processes(tmp_path: Path) -> None:
    place = write_dataset(tmp_path / "data", SCENES)
    data = read_dataset(place, [Phase(STEPS, RESOLUTION)], TRACED)
    victim = place / "scenes" / "000004.h5"
    victim.write_bytes(b"broken")
    whole, parts = batches(place), [batches(place, Processes(rank, 2), batch=2) for rank in (0, 1)]
    reported = set()
    for step in range(STEPS):
        one, shares = whole[step], [part[step] for part in parts]
        reported |= {file for file, _ in one.faults}
        assert sorted(one.faults) == sorted(fault for share in shares if share.share for fault in share.faults)
        assert torch.equal(one.images[1::2], shares[1].images) or shares[1].share == 0
    assert reported == {str(victim)}
    replaced = next(step for step in range(STEPS) if whole[step].faults)
    _, chosen = whole.chosen(replaced)
    row = next(place for place in range(len(chosen)) if int(chosen[place]) == 3)  # scene 4 is the fourth to train on
    assert int(whole[replaced].mask[row].sum()) == len(data.train[4].triangles)


def test_too_many_broken_scenes_in_a_row_end_the_run(tmp_path: Path) -> None:
    place = write_dataset(tmp_path / "data", SCENES)
    made = batches(place)
    for path in sorted((place / "scenes").glob("*.h5"))[1:]:
        path.unlink()
    with pytest.raises(InputError, match=rf"{MAX_REPLACEMENTS} scenes in a row cannot be read \(the first: .*h5"):
        _ = made[0]
