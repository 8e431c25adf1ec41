"""Augmented images compared with path-traced images of the augmented scene."""

import dataclasses

import numpy as np
import pytest

from rfcli.dataset.augment import Augmentation, apply_augmentation, draw_augmentation
from rfcli.dataset.training_scene import TrainingScene
from rfcli.scene import TriangleScene, split_lights
from rfcli.training.scenes import seen_by_pixels
from rfcli.truth import PathTracer
from tests.support.model_scenes import cameras, random_batch

RESOLUTION, PATHS = 12, 512


def traced(scene: TrainingScene) -> np.ndarray:
    triangles = TriangleScene(scene.triangles, scene.vn, scene.material, scene.c2w, scene.fov)
    return PathTracer(samples_per_pixel=PATHS, denoise=False).render(triangles, RESOLUTION)


@pytest.fixture(scope="module")
def scene() -> TrainingScene:
    """Random coloured triangles with flat normals under a bright one; two lights."""
    batch, (c2w, fov) = random_batch(triangles=25, seed=4), cameras()
    assert batch.material is not None
    triangles, material = batch.triangles[0].numpy(), batch.material[0].numpy()
    material[:, 6] = 0.7
    material[1:3, 10:] = (15.0, 5.0, 1.0)  # a second light, of two triangles
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    vn = np.repeat(normals[:, None], 3, 1).astype(np.float32)
    dark = TrainingScene(triangles, vn, material, c2w[0].numpy(), fov[0].numpy(), np.zeros((2, 1, 1, 3), np.float16))
    lit = TriangleScene(triangles, vn, material, dark.c2w, dark.fov)
    layers = np.stack([traced(dataclasses.replace(dark, material=one.material)) for one in split_lights(lit)])
    assert len(layers) == 2
    images, layers = layers.sum(0).astype(np.float16), layers.astype(np.float16)
    return dataclasses.replace(dark, images=images, layers=layers, visible=seen_by_pixels(dark, RESOLUTION))


def identity(triangles: int, **changes: object) -> Augmentation:
    """The augmentation that changes nothing except for `changes`."""
    unchanged = {
        "rotation": np.eye(3, dtype=np.float32),
        "translation": np.zeros(3, np.float32),
        "channels": np.arange(3),
        "emission": 1.0,
        "lights": np.ones(2, np.float32),
        "turns": np.zeros(triangles, np.int64),
        "order": np.arange(triangles),
    }
    return Augmentation(**{**unchanged, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("rotations", ["none", "upright", "any"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_augmented_images_match_path_tracing(scene: TrainingScene, seed: int, rotations: str) -> None:
    augmentation = draw_augmentation(
        np.random.default_rng(seed), len(scene.triangles), rotations, translations=0.25, lights=2
    )
    augmented = apply_augmentation(scene, augmentation)
    log_expected, log_traced = (np.log10(1 + x.astype(np.float32)) for x in (augmented.images, traced(augmented)))
    assert log_expected.std() > 0.05
    assert np.abs(log_expected - log_traced).mean() < 0.02
    wrong = np.abs(log_expected[:, :, ::-1] - log_traced).mean()
    assert wrong > 0.03  # a wrongly mirrored image would be detected


TURN = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]], np.float32)
TILT = np.array([[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]], np.float32)


@pytest.mark.parametrize(
    ("change", "moves", "recolours"),
    [
        ({"rotation": TURN}, True, False),
        ({"rotation": TILT @ TURN}, True, False),
        ({"translation": np.array([0.3, -0.2, 0.25], np.float32)}, True, False),
        ({"rotation": np.diag([-1.0, 1.0, 1.0]).astype(np.float32)}, True, True),
        ({"channels": np.array([2, 0, 1])}, False, True),
        ({"emission": 1.5}, False, True),
        ({"lights": np.array([2.5, 0.4], np.float32)}, False, True),
        ({"turns": np.arange(25) % 3}, False, False),
        ({"order": np.arange(25)[::-1].copy()}, False, False),
    ],
    ids=["turn", "tilt", "translation", "mirror", "channels", "emission", "lights", "vertex order", "triangle order"],
)
def test_each_change_alone_matches_path_tracing(
    scene: TrainingScene, change: dict[str, object], moves: bool, recolours: bool
) -> None:
    """moves: the image would differ if the cameras did not move too. recolours: the image changes."""

    def log(images: np.ndarray) -> np.ndarray:
        return np.log10(1 + images.astype(np.float32))

    augmented = apply_augmentation(scene, identity(len(scene.triangles), **change))
    truth = log(traced(augmented))
    assert np.abs(log(augmented.images) - truth).mean() < 0.004
    assert (np.abs(log(scene.images) - truth).mean() > 0.008) == recolours
    if moves:
        fixed_cameras = log(traced(dataclasses.replace(augmented, c2w=scene.c2w)))
        assert np.abs(log(augmented.images) - fixed_cameras).mean() > 0.03


def test_random_augmentations_include_mirrors_and_rotations() -> None:
    augmentations = [draw_augmentation(np.random.default_rng(seed), 4, "upright") for seed in range(6)]
    signs = {round(float(np.linalg.det(a.rotation))) for a in augmentations}
    assert signs == {1, -1}
    for a in (*augmentations, *(draw_augmentation(np.random.default_rng(seed), 4, "any") for seed in range(6))):
        assert np.allclose(a.rotation @ a.rotation.T, np.eye(3), atol=1e-6)
    assert all(np.allclose(a.rotation @ [0, 0, 1], [0, 0, 1]) for a in augmentations)


def test_lights_are_scaled_independently(scene: TrainingScene) -> None:
    """With one light nearly off, the augmented image is correct; the original scaled to its brightness is not."""
    relit = apply_augmentation(scene, identity(len(scene.triangles), lights=np.array([2.0, 1e-3], np.float32)))
    expected, truth = (np.log10(1 + x.astype(np.float32)) for x in (relit.images, traced(relit)))
    assert np.abs(expected - truth).mean() < 0.003
    scale = relit.images.astype(np.float32).mean() / scene.images.astype(np.float32).mean()
    assert np.abs(np.log10(1 + scale * scene.images.astype(np.float32)) - truth).mean() > 0.025
    assert relit.layers is None


def test_mirrored_cameras_stay_right_handed_and_their_images_are_flipped(scene: TrainingScene) -> None:
    mirror = np.diag([-1.0, 1.0, 1.0]).astype(np.float32)
    a = identity(len(scene.triangles), rotation=mirror)
    mirrored = apply_augmentation(scene, a)
    assert np.allclose(np.linalg.det(mirrored.c2w[:, :3, :3]), 1.0, atol=1e-5)
    assert mirrored.visible is not None
    assert scene.visible is not None
    assert (mirrored.visible == scene.visible[:, :, ::-1]).all()
    twice = apply_augmentation(mirrored, a)
    assert np.allclose(twice.triangles, scene.triangles)
    assert np.allclose(twice.c2w, scene.c2w)
    assert np.allclose(twice.images, scene.images, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_fronts_of_triangles_stay_fronts(scene: TrainingScene, mirror: float) -> None:
    """The normal of the winding moves with the scene; a mirror without a change of winding would invert it."""
    rotation = np.diag([mirror, 1.0, 1.0]).astype(np.float32)
    turns = np.arange(len(scene.triangles)) % 3
    turned = apply_augmentation(scene, identity(len(scene.triangles), rotation=rotation, turns=turns))

    def front(triangles: np.ndarray) -> np.ndarray:
        return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])

    assert np.allclose(front(turned.triangles), front(scene.triangles) @ rotation.T, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_visible_triangles_match_those_computed_for_the_augmented_scene(scene: TrainingScene, seed: int) -> None:
    augmented = apply_augmentation(
        scene, draw_augmentation(np.random.default_rng(seed), len(scene.triangles), "any", 0.25, 2)
    )
    assert augmented.visible is not None
    computed = seen_by_pixels(augmented, RESOLUTION)
    assert (augmented.visible == computed).mean() > 0.97  # except for pixels on an edge
    assert (scene.visible != computed).mean() > 0.08  # most pixels show the background before and after


def test_bright_pixels_stay_finite(scene: TrainingScene) -> None:
    bright = dataclasses.replace(scene, layers=None, images=np.full_like(scene.images, 65000))
    assert np.isfinite(apply_augmentation(bright, identity(len(scene.triangles), emission=1.5)).images).all()


def test_the_original_scene_stays_unchanged(scene: TrainingScene) -> None:
    before = {name: np.copy(value) for name, value in vars(scene).items()}
    apply_augmentation(scene, draw_augmentation(np.random.default_rng(0), len(scene.triangles), "upright", 0.25, 2))
    assert all((before[name] == value).all() for name, value in vars(scene).items())
