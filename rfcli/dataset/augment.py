"""Exact augmentations: changes of a scene after which the true image is known without tracing a path.

Light transport commutes with rotations and reflections of the whole scene together with its cameras, with permuting
r, g and b, and it is linear in emission.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.dataset.training_scene import TrainingScene
from rfcli.scene import DIFFUSE, EMISSION, SPECULAR

FloatArray = npt.NDArray[np.float32]

EMISSION_RANGE = 1.5  # emission is scaled by up to this factor either way


@dataclass(frozen=True)
class Augmentation:
    """One draw. rotation [3, 3]: orthogonal, determinant -1 where it mirrors. channels: a permutation of r, g, b.
    emission: factor. turns [N]: by how many places each triangle's vertices are rolled."""

    rotation: FloatArray
    channels: npt.NDArray[np.int64]
    emission: float
    turns: npt.NDArray[np.int64]


def draw(rng: np.random.Generator, triangles: int, rotations: str) -> Augmentation:
    """A random augmentation. rotations: none, upright (about the vertical axis) or any."""
    rotation = {"none": _no_rotation, "upright": _yaw, "any": _any_rotation}[rotations](rng)
    if rng.random() < 0.5:
        rotation = rotation @ np.diag([-1.0, 1.0, 1.0])
    return Augmentation(
        rotation.astype(np.float32),
        rng.permutation(3),
        float(EMISSION_RANGE ** rng.uniform(-1, 1)),
        rng.integers(0, 3, triangles),
    )


def _no_rotation(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.eye(3)


def _yaw(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _any_rotation(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Uniform over all rotations: QR of a Gaussian matrix with R's diagonal made positive, then determinant 1."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    q[:, 0] *= np.sign(np.linalg.det(q))
    return np.asarray(q)


def apply(scene: TrainingScene, a: Augmentation) -> TrainingScene:
    """The augmented scene, cameras and images. Where the scene is mirrored, each camera's own X axis is flipped back
    (a camera is never left-handed) and its image with it."""
    order = (np.arange(3) + a.turns[:, None]) % 3
    rows = np.arange(len(scene.triangles))[:, None]
    material = scene.material.copy()
    for colour in (DIFFUSE, SPECULAR, EMISSION):
        material[:, colour] = material[:, colour][:, a.channels]
    material[:, EMISSION] *= a.emission
    c2w = scene.c2w.copy()
    c2w[:, :3] = a.rotation @ c2w[:, :3]
    images, visible = scene.images[..., a.channels].astype(np.float32) * a.emission, scene.visible
    if np.linalg.det(a.rotation) < 0:
        c2w[:, :3, 0] *= -1
        images = np.ascontiguousarray(images[:, :, ::-1])
        visible = None if visible is None else np.ascontiguousarray(visible[:, :, ::-1])
    return replace(
        scene,
        triangles=(scene.triangles @ a.rotation.T)[rows, order],
        vn=(scene.vn @ a.rotation.T)[rows, order],
        material=material,
        c2w=c2w,
        images=images.astype(np.float16),
        visible=visible,
    )
