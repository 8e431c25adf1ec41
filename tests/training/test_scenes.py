"""From a dataset on disk to batches."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from rfcli.dataset import Sample, write_sample
from rfcli.dataset.batching import epoch_batches
from rfcli.dataset.files import sha256_of
from rfcli.dataset.manifest import Entry, write_manifest
from rfcli.dataset.training_scene import at_resolution
from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.training.batch import collate
from rfcli.training.batches import Batches
from rfcli.training.loop import fit
from rfcli.training.phases import Phase
from rfcli.training.run import Run
from rfcli.training.scenes import TrainingData, read_dataset
from tests.support.model_scenes import SMALL
from tests.support.training_datasets import write_dataset
from tests.support.training_scenes import RESOLUTION, RecordingCallbacks, fresh_model, train_options, training_scene


def test_images_are_averaged_down() -> None:
    given = training_scene(0)
    scene = TriangleScene(given.triangles, given.vn, given.material, given.c2w, given.fov)
    images = np.arange(2 * 8 * 8 * 3, dtype=np.float16).reshape(2, 8, 8, 3)
    sample = Sample(scene, images)
    small = at_resolution(sample, 4)
    expected = [[images[0, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2, 0].mean() for c in range(4)] for r in range(4)]
    assert small.images[0, :, :, 0].tolist() == expected
    with pytest.raises(InputError, match=r"8 pixels; `resolution` 3 must divide"):
        at_resolution(sample, 3)


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_a_folder_without_scenes_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=rf"{folder} holds no scenes; generate a dataset first, or give another folder as `data`"
    ):
        read_dataset(tmp_path / folder, [Phase(1, 16)], SMALL)


@pytest.mark.parametrize("changes", [{"use_ldr": True}, {"include_alpha": True}, {"texture_channels": 7}])
def test_models_that_datasets_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    config = dataclasses.replace(SMALL, visibility="attention", **changes)
    with pytest.raises(InputError, match=f"config field {next(iter(changes))}"):
        read_dataset(tmp_path, [Phase(1, 16)], config)


def test_a_padded_batch_has_the_outputs_and_gradients_of_single_scenes() -> None:
    model = fresh_model()
    scenes = [training_scene(0, 9), training_scene(1, 17)]
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def images_and_gradients(chosen: list[int]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        batch = collate([scenes[i] for i in chosen], torch.device("cpu"))
        out = model(batch.scenes, batch.c2w, batch.fov, RESOLUTION, batch.visible)
        total = (out * (1 + batch.truth)).sum()
        return out.detach(), torch.autograd.grad(total, list(parameters.values()), materialize_grads=True)

    (images, together), *alone = (images_and_gradients(chosen) for chosen in ([0, 1], [0], [1]))
    assert (images - torch.cat([out for out, _ in alone])).abs().max() < 1e-5
    for name, whole, first, second in zip(parameters, together, *(gradients for _, gradients in alone), strict=True):
        assert (whole - first - second).norm() <= 1e-5 * (first.norm() + second.norm()), name


def test_collate_marks_padding() -> None:
    batch = collate([training_scene(0, 9), training_scene(1, 17)], torch.device("cpu"))
    assert batch.scenes.mask.sum(1).tolist() == [9, 17]
    assert batch.truth.shape == (2, 2, RESOLUTION, RESOLUTION, 3)
    assert batch.visible is not None
    assert batch.visible[0].max() < 9


def test_views_keep_their_cameras(tmp_path: Path) -> None:
    """Each image, and the triangles that its pixels see, belong to the camera with the same index in the batch.

    Here all three encode the number of the camera.
    """
    given, views = training_scene(0), 5
    number = np.arange(views)
    c2w = np.repeat(given.c2w[:1], views, 0)
    c2w[:, 0, 3] = number
    scene = dataclasses.replace(
        given,
        c2w=c2w,
        fov=40 + number.astype(np.float32),
        images=np.zeros((views, RESOLUTION, RESOLUTION, 3), np.float16)
        + number[:, None, None, None].astype(np.float16),
        visible=np.zeros((views, RESOLUTION, RESOLUTION), np.int32) + number[:, None, None].astype(np.int32),
    )
    run = Run(fresh_model(), None, TrainingData([scene], [scene]), train_options(tmp_path, views=3, batch=1))
    taken = set()
    for step in range(8):
        batch, _ = run.batch(step)
        cameras = (batch.fov[0] - 40).long()
        taken.add(tuple(cameras.tolist()))
        assert torch.equal(batch.c2w[0, :, 0, 3].abs().long(), cameras)  # a mirror changes its sign
        brightness = (10 ** batch.truth[0] - 1).mean((1, 2, 3)) / (10 ** batch.truth[0] - 1).max() * cameras.max()
        assert torch.allclose(brightness, cameras.float(), rtol=0.01)  # up to the scale of emission
        assert batch.visible is not None
        assert len({int(seen) for seen in batch.visible[0].flatten(1)[:, 0]}) == len(cameras) == 3
    assert len(taken) > 3


@pytest.mark.parametrize(("first", "scenes"), [(0, 1), (1, 1)])
def test_a_dataset_too_small_for_validation_is_refused(tmp_path: Path, first: int, scenes: int) -> None:
    folder = write_dataset(tmp_path / "data", scenes, first)
    with pytest.raises(InputError, match="holds 1 scene, too few to train and validate on; generate 8 scenes or more"):
        read_dataset(folder, [Phase(1, RESOLUTION)], SMALL)


def test_a_batch_can_have_a_scene_of_any_size(tmp_path: Path) -> None:
    data = read_dataset(write_dataset(tmp_path / "data", 3), [Phase(1, RESOLUTION)], SMALL)
    large = training_scene(7, 5000)
    batch = collate([*data.train, large], torch.device("cpu"))
    assert batch.scenes.mask.sum(1).tolist() == [11, 12, 5000]


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing"])
def test_a_corrupt_scene_is_named_skipped_and_counted(tmp_path: Path, damage: str) -> None:
    folder, config = dataset_of_copies(tmp_path / "data", 110), dataclasses.replace(SMALL, visibility="attention")
    victim = folder / "scenes" / "000005.h5"
    content = victim.read_bytes()
    if damage == "missing":
        victim.unlink()
    else:
        middle = len(content) // 2
        changed = bytes([content[middle] ^ 1]) + content[middle + 1 :]
        victim.write_bytes(content[:middle] + (b"" if damage == "cut" else changed))
    data = read_dataset(folder, [Phase(1, RESOLUTION)], config)
    options = train_options(tmp_path, data=folder, steps=26, batch=4)
    batches = Batches(data, options, monochrome=False, samples=0, find_visible=False)
    sentences = [sentence for step in range(26) for sentence in data.skip(0, batches[step].faults)]
    assert len(sentences) == len(data.skipped) == 1
    assert "000005.h5" in sentences[0]
    (folder / "scenes" / "000006.h5").unlink()
    with pytest.raises(InputError, match=r"2 of the 110 scenes cannot be read, which is more than 1%; .*000005\.h5"):
        data.skip(0, [fault for step in range(26) for fault in batches[step].faults])


def test_a_skipped_scene_is_a_warning_of_the_run(tmp_path: Path) -> None:
    folder, callbacks = dataset_of_copies(tmp_path / "data", 110), RecordingCallbacks()
    data = read_dataset(folder, [Phase(1, RESOLUTION)], SMALL)
    options = train_options(tmp_path / "run", data=folder, steps=2)
    Path(data.train.path(int(epoch_batches(data.sizes(), 2, 0, 0)[1][0]))).unlink()  # of the second step
    fit(fresh_model(), data, options, callbacks)
    (warning,) = [warning for warning in callbacks.warnings if "a scene is skipped" in warning]
    assert warning.endswith("No such file or directory (1 so far)")


def dataset_of_copies(folder: Path, scenes: int) -> Path:
    """A dataset of copies of one random scene."""
    (folder / "scenes").mkdir(parents=True)
    given = training_scene(0)
    scene = TriangleScene(given.triangles, given.vn, given.material, given.c2w, given.fov)
    first = folder / "scenes" / "000000.h5"
    write_sample(first, Sample(scene, given.images))
    entries = []
    for index in range(scenes):
        path = folder / "scenes" / f"{index:06d}.h5"
        if index:
            shutil.copy(first, path)
        size = path.stat().st_size
        entries.append(Entry(index, f"scenes/{path.name}", index, len(scene), 2, size, sha256_of(path)))
    write_manifest(folder, entries)
    return folder
