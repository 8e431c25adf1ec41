"""From a dataset on disk to batches."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from rfcli.dataset import Sample
from rfcli.dataset.training_scene import training_scene as at_resolution
from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.training.batch import collate
from rfcli.training.run import Run
from rfcli.training.scenes import TrainingData, read_dataset
from rfcli.training.stages import Stage
from tests.support.model_scenes import SMALL
from tests.support.training_datasets import write_dataset
from tests.support.training_scenes import RESOLUTION, fresh_model, options, training_scene


def test_images_are_averaged_down() -> None:
    given = training_scene(0)
    scene = TriangleScene(given.triangles, given.vn, given.material, given.c2w, given.fov)
    images = np.arange(2 * 8 * 8 * 3, dtype=np.float16).reshape(2, 8, 8, 3)
    sample = Sample(scene, images)
    small = at_resolution(sample, 4)
    expected = [[images[0, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2, 0].mean() for c in range(4)] for r in range(4)]
    assert small.images[0, :, :, 0].tolist() == expected
    with pytest.raises(InputError, match=r"8 pixels; --resolution 3 must divide"):
        at_resolution(sample, 3)


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_no_data_is_one_sentence(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=rf"{folder} holds no scenes; make some with `rf gen-data`"):
        read_dataset(tmp_path / folder, [Stage(1, 16)], SMALL)


@pytest.mark.parametrize("changes", [{"use_ldr": True}, {"include_alpha": True}, {"texture_channels": 7}])
def test_models_that_datasets_cannot_teach_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    config = dataclasses.replace(SMALL, visibility="attention", **changes)
    with pytest.raises(InputError, match=f"config field {next(iter(changes))}"):
        read_dataset(tmp_path, [Stage(1, 16)], config)


def test_a_padded_batch_gives_the_outputs_and_gradients_of_its_scenes_alone() -> None:
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
    """Each image, and what its pixels see, is of the camera that it stands beside, whichever views a step takes: here
    all three tell the camera's number. In the experiment that this project succeeds a missing image shifted the rest.
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
    run = Run(fresh_model(), None, TrainingData([scene], [scene]), options(tmp_path, views=3, batch=1))
    taken = set()
    for step in range(8):
        batch, _ = run.batch(step)
        cameras = (batch.fov[0] - 40).long()
        taken.add(tuple(cameras.tolist()))
        assert torch.equal(batch.c2w[0, :, 0, 3].abs().long(), cameras)  # a mirror changes its sign
        brightness = (10 ** batch.truth[0] - 1).mean((1, 2, 3)) / (10 ** batch.truth[0] - 1).max() * cameras.max()
        assert torch.allclose(brightness, cameras.float(), rtol=0.01)  # but for the scale of emission
        assert batch.visible is not None
        assert len({int(seen) for seen in batch.visible[0].flatten(1)[:, 0]}) == len(cameras) == 3
    assert len(taken) > 3


@pytest.mark.parametrize(("first", "scenes"), [(0, 1), (1, 1)])
def test_a_dataset_too_small_to_hold_a_scene_out_is_refused(tmp_path: Path, first: int, scenes: int) -> None:
    """In the experiment that this project succeeds a dataset of one scene became an empty training set."""
    folder = write_dataset(tmp_path / "data", scenes, first)
    with pytest.raises(InputError, match="holds 1 scene, too few to train and validate on; add more with `rf gen-data"):
        read_dataset(folder, [Stage(1, RESOLUTION)], SMALL)


def test_a_scene_of_more_triangles_than_any_before_is_read_and_batched(tmp_path: Path) -> None:
    """There is no longest scene: a batch is as long as its own."""
    data = read_dataset(write_dataset(tmp_path / "data", 3), [Stage(1, RESOLUTION)], SMALL)
    large = training_scene(7, 5000)
    batch = collate([*data.train, large], torch.device("cpu"))
    assert batch.scenes.mask.sum(1).tolist() == [11, 12, 5000]
