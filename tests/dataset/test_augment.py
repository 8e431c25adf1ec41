"""Augmentations against the path tracer: the augmented scene's own truth is the augmented image."""

import dataclasses

import numpy as np
import pytest

from rfcli.dataset.augment import Augmentation, apply, draw
from rfcli.dataset.training_scene import TrainingScene
from rfcli.scene import TriangleScene, split_lights
from rfcli.training.scenes import seen_by_pixels
from rfcli.truth import PathTracer
from tests.support.model_scenes import cameras, random_batch

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


def nothing(triangles: int, **changes: object) -> Augmentation:
    """The augmentation that changes nothing but what is given."""
    still = {
        "rotation": np.eye(3, dtype=np.float32),
        "translation": np.zeros(3, np.float32),
        "channels": np.arange(3),
        "emission": 1.0,
        "lights": np.ones(2, np.float32),
        "turns": np.zeros(triangles, np.int64),
        "order": np.arange(triangles),
    }
    return Augmentation(**{**still, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("rotations", ["none", "upright", "any"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_truth_of_the_augmented_scene(scene: TrainingScene, seed: int, rotations: str) -> None:
    augmentation = draw(np.random.default_rng(seed), len(scene.triangles), rotations, translations=0.25, lights=2)
    augmented = apply(scene, augmentation)
    log_expected, log_traced = (np.log10(1 + x.astype(np.float32)) for x in (augmented.images, traced(augmented)))
    assert log_expected.std() > 0.05
    assert np.abs(log_expected - log_traced).mean() < 0.02
    wrong = np.abs(log_expected[:, :, ::-1] - log_traced).mean()
    assert wrong > 0.03  # the image mirrored by mistake would be told apart


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
def test_truth_of_each_change_by_itself(
    scene: TrainingScene, change: dict[str, object], moves: bool, recolours: bool
) -> None:
    """moves: without its cameras moved with it, the scene is another picture. recolours: the picture changes at all."""

    def log(images: np.ndarray) -> np.ndarray:
        return np.log10(1 + images.astype(np.float32))

    augmented = apply(scene, nothing(len(scene.triangles), **change))
    truth = log(traced(augmented))
    assert np.abs(log(augmented.images) - truth).mean() < 0.004
    assert (np.abs(log(scene.images) - truth).mean() > 0.008) == recolours
    if moves:
        left_behind = log(traced(dataclasses.replace(augmented, c2w=scene.c2w)))
        assert np.abs(log(augmented.images) - left_behind).mean() > 0.03


def test_seeds_cover_mirrors_and_rotations() -> None:
    drawn = [draw(np.random.default_rng(seed), 4, "upright") for seed in range(6)]
    signs = {round(float(np.linalg.det(a.rotation))) for a in drawn}
    assert signs == {1, -1}
    for a in (*drawn, *(draw(np.random.default_rng(seed), 4, "any") for seed in range(6))):
        assert np.allclose(a.rotation @ a.rotation.T, np.eye(3), atol=1e-6)
    assert all(np.allclose(a.rotation @ [0, 0, 1], [0, 0, 1]) for a in drawn)


def test_each_light_is_scaled_by_itself(scene: TrainingScene) -> None:
    """With one light nearly out, the relit image is right; the whole image scaled to its brightness is far from it."""
    relit = apply(scene, nothing(len(scene.triangles), lights=np.array([2.0, 1e-3], np.float32)))
    expected, truth = (np.log10(1 + x.astype(np.float32)) for x in (relit.images, traced(relit)))
    assert np.abs(expected - truth).mean() < 0.003
    scale = relit.images.astype(np.float32).mean() / scene.images.astype(np.float32).mean()
    assert np.abs(np.log10(1 + scale * scene.images.astype(np.float32)) - truth).mean() > 0.025
    assert relit.layers is None


def test_a_mirror_keeps_cameras_right_handed_and_flips_what_they_see(scene: TrainingScene) -> None:
    mirror = np.diag([-1.0, 1.0, 1.0]).astype(np.float32)
    a = nothing(len(scene.triangles), rotation=mirror)
    mirrored = apply(scene, a)
    assert np.allclose(np.linalg.det(mirrored.c2w[:, :3, :3]), 1.0, atol=1e-5)
    assert mirrored.visible is not None
    assert scene.visible is not None
    assert (mirrored.visible == scene.visible[:, :, ::-1]).all()
    twice = apply(mirrored, a)
    assert np.allclose(twice.triangles, scene.triangles)
    assert np.allclose(twice.c2w, scene.c2w)
    assert np.allclose(twice.images, scene.images, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_fronts_stay_fronts(scene: TrainingScene, mirror: float) -> None:
    """The normal of the winding moves with the scene; mirrored without a change of winding it would point back."""
    rotation = np.diag([mirror, 1.0, 1.0]).astype(np.float32)
    turns = np.arange(len(scene.triangles)) % 3
    turned = apply(scene, nothing(len(scene.triangles), rotation=rotation, turns=turns))

    def front(triangles: np.ndarray) -> np.ndarray:
        return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])

    assert np.allclose(front(turned.triangles), front(scene.triangles) @ rotation.T, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_what_pixels_see_is_what_they_would_be_found_to_see(scene: TrainingScene, seed: int) -> None:
    """Through the order of triangles, mirrors and all else."""
    augmented = apply(scene, draw(np.random.default_rng(seed), len(scene.triangles), "any", 0.25, 2))
    assert augmented.visible is not None
    found = seen_by_pixels(augmented, RESOLUTION)
    assert (augmented.visible == found).mean() > 0.97  # but for pixels on an edge
    assert (scene.visible != found).mean() > 0.08  # most pixels see nothing, whatever is done


def test_the_brightest_pixels_stay_finite(scene: TrainingScene) -> None:
    glaring = dataclasses.replace(scene, layers=None, images=np.full_like(scene.images, 65000))
    assert np.isfinite(apply(glaring, nothing(len(scene.triangles), emission=1.5)).images).all()


def test_the_scene_given_is_not_changed(scene: TrainingScene) -> None:
    before = {name: np.copy(value) for name, value in vars(scene).items()}
    apply(scene, draw(np.random.default_rng(0), len(scene.triangles), "upright", 0.25, 2))
    assert all((before[name] == value).all() for name, value in vars(scene).items())
