"""Augmentations against the path tracer: the augmented scene's own truth is the augmented image."""

import numpy as np
import pytest

from rfcli.dataset.augment import Augmentation, apply, draw
from rfcli.dataset.training_scene import TrainingScene
from rfcli.scene import TriangleScene
from rfcli.truth import PathTracer
from tests.model.scenes import cameras, random_batch

RESOLUTION, PATHS = 12, 512


def traced(scene: TrainingScene) -> np.ndarray:
    given = TriangleScene(scene.triangles, scene.vn, scene.material, scene.c2w, scene.fov)
    return PathTracer(samples_per_pixel=PATHS, denoise=False).render(given, RESOLUTION)


@pytest.fixture(scope="module")
def scene() -> TrainingScene:
    """A heap of coloured triangles under a bright one, shaded by their own normals."""
    batch, (c2w, fov) = random_batch(triangles=25, seed=4), cameras()
    assert batch.material is not None
    triangles, material = batch.triangles[0].numpy(), batch.material[0].numpy()
    material[:, 6] = 0.7
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    vn = np.repeat(normals[:, None], 3, 1).astype(np.float32)
    dark = TrainingScene(triangles, vn, material, c2w[0].numpy(), fov[0].numpy(), np.zeros((2, 1, 1, 3), np.float16))
    images = traced(dark).astype(np.float16)
    visible = np.arange(2 * RESOLUTION**2, dtype=np.int32).reshape(2, RESOLUTION, RESOLUTION)
    return TrainingScene(triangles, vn, material, dark.c2w, dark.fov, images, visible)


@pytest.mark.parametrize("rotations", ["none", "upright", "any"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_truth_of_the_augmented_scene(scene: TrainingScene, seed: int, rotations: str) -> None:
    augmentation = draw(np.random.default_rng(seed), len(scene.triangles), rotations)
    augmented = apply(scene, augmentation)
    log_expected, log_traced = (np.log10(1 + x.astype(np.float32)) for x in (augmented.images, traced(augmented)))
    assert log_expected.std() > 0.05
    assert np.abs(log_expected - log_traced).mean() < 0.02
    wrong = np.abs(log_expected[:, :, ::-1] - log_traced).mean()
    assert wrong > 0.03  # the image mirrored by mistake would be told apart


def test_seeds_cover_mirrors_and_rotations() -> None:
    drawn = [draw(np.random.default_rng(seed), 4, "upright") for seed in range(6)]
    signs = {round(float(np.linalg.det(a.rotation))) for a in drawn}
    assert signs == {1, -1}
    for a in (*drawn, *(draw(np.random.default_rng(seed), 4, "any") for seed in range(6))):
        assert np.allclose(a.rotation @ a.rotation.T, np.eye(3), atol=1e-6)
    assert all(np.allclose(a.rotation @ [0, 0, 1], [0, 0, 1]) for a in drawn)


def test_a_mirror_keeps_cameras_right_handed_and_flips_what_they_see(scene: TrainingScene) -> None:
    mirror = np.diag([-1.0, 1.0, 1.0]).astype(np.float32)
    a = Augmentation(mirror, np.arange(3), 1.0, np.zeros(len(scene.triangles), np.int64))
    mirrored = apply(scene, a)
    assert np.allclose(np.linalg.det(mirrored.c2w[:, :3, :3]), 1.0, atol=1e-5)
    assert mirrored.visible is not None
    assert scene.visible is not None
    assert (mirrored.visible == scene.visible[:, :, ::-1]).all()
    twice = apply(mirrored, a)
    assert np.allclose(twice.triangles, scene.triangles)
    assert np.allclose(twice.c2w, scene.c2w)
    assert (twice.images == scene.images).all()


def test_the_scene_given_is_not_changed(scene: TrainingScene) -> None:
    before = {name: np.copy(value) for name, value in vars(scene).items()}
    apply(scene, draw(np.random.default_rng(0), len(scene.triangles), "upright"))
    assert all((before[name] == value).all() for name, value in vars(scene).items())
