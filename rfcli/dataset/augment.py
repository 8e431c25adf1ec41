"""Exact augmentations: changes of a scene whose true image follows from the original image without rendering.

Light transport commutes with rotations, translations and reflections of the scene together with its cameras, and with
mapping the colour channels onto one another. It is linear in the emission of each light. It does not depend on the
order of the triangles, nor on which vertex of a triangle comes first.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.dataset.sample import FLOAT16_MAX
from rfcli.dataset.training_scene import TrainingScene
from rfcli.scene import DIFFUSE, EMISSION, SPECULAR, light_indices

FloatArray = npt.NDArray[np.float32]

MAX_EMISSION_FACTOR = 1.5  # total emission is scaled by 1 / 1.5 to 1.5
MAX_LIGHT_FACTOR = 3.0  # each light by another 1 / 3 to 3, if the scene has light layers


@dataclass(frozen=True)
class Augmentation:
    """One random augmentation of a scene with N triangles and L light layers.

    Attributes:
        rotation: [3, 3] orthogonal matrix; determinant -1 if the scene is mirrored.
        translation: [3], added after the rotation.
        channels: [3] source of each colour channel: a permutation of 0, 1, 2, or the same channel three times.
        emission: Factor of the total emission.
        lights: [L] additional factor of each light; unused if the scene has no light layers.
        turns: [N] number of positions, 0 to 2, by which the vertices of each triangle are rotated.
        order: [N] permutation of the triangles.
    """

    rotation: FloatArray
    translation: FloatArray
    channels: npt.NDArray[np.int64]
    emission: float
    lights: FloatArray
    turns: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]


def draw_augmentation(
    rng: np.random.Generator,
    triangles: int,
    rotations: str,
    translations: float = 0.0,
    lights: int = 0,
    monochrome: bool = False,
) -> Augmentation:
    """Draws a random augmentation.

    Half of all augmentations mirror the scene.

    Args:
        rng: Source of randomness.
        triangles: Number of triangles N of the scene.
        rotations: "none", "upright" (about the vertical axis) or "any" (uniform over all rotations).
        translations: Standard deviation of the translation along each axis.
        lights: Number of light layers L of the scene.
        monochrome: Copy one random colour channel to all three.

    Returns:
        The augmentation, to be passed to `apply_augmentation`.
    """
    rotation = {"none": _no_rotation, "upright": _upright_rotation, "any": _any_rotation}[rotations](rng)
    if rng.random() < 0.5:
        rotation = rotation @ np.diag([-1.0, 1.0, 1.0])
    return Augmentation(
        rotation.astype(np.float32),
        (translations * rng.standard_normal(3)).astype(np.float32),
        np.full(3, rng.integers(3)) if monochrome else rng.permutation(3),
        float(MAX_EMISSION_FACTOR ** rng.uniform(-1, 1)),
        (MAX_LIGHT_FACTOR ** rng.uniform(-1, 1, lights)).astype(np.float32),
        rng.integers(0, 3, triangles),
        rng.permutation(triangles),
    )


def _no_rotation(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.eye(3)


def _upright_rotation(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _any_rotation(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Uniform over all rotations: QR of a Gaussian matrix, signs fixed so that diag(R) > 0 and det(Q) = 1."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    q[:, 0] *= np.sign(np.linalg.det(q))
    return np.asarray(q)


def apply_augmentation(scene: TrainingScene, augmentation: Augmentation) -> TrainingScene:
    """Applies an augmentation to a scene, its cameras and its images.

    If the scene is mirrored, the X axis of each camera is flipped back, because a camera matrix must be right-handed,
    and its image is flipped with it. Two vertices of each triangle are swapped, because the winding defines the front.

    Args:
        scene: The original scene; unchanged.
        augmentation: Drawn for the scene's numbers of triangles and of light layers.

    Returns:
        The augmented scene, without light layers.
    """
    a = augmentation
    scene = _scale_lights(scene, a.lights)
    mirrored = np.linalg.det(a.rotation) < 0
    corners = (np.arange(3) + a.turns[a.order, None]) % 3
    if mirrored:
        corners = corners[:, ::-1]
    rows = a.order[:, None]
    material = scene.material[a.order]
    for colour in (DIFFUSE, SPECULAR, EMISSION):
        material[:, colour] = material[:, colour][:, a.channels]
    material[:, EMISSION] *= a.emission
    c2w = scene.c2w.copy()
    c2w[:, :3] = a.rotation @ c2w[:, :3]
    c2w[:, :3, 3] += a.translation
    images, visible = scene.images[..., a.channels].astype(np.float32) * a.emission, scene.visible
    if visible is not None:
        new_index = np.append(np.argsort(a.order), -1).astype(np.int32)  # of each triangle; -1 (none) stays -1
        visible = new_index[visible]
    if mirrored:
        c2w[:, :3, 0] *= -1
        images = np.ascontiguousarray(images[:, :, ::-1])
        visible = None if visible is None else np.ascontiguousarray(visible[:, :, ::-1])
    return replace(
        scene,
        triangles=(scene.triangles @ a.rotation.T + a.translation)[rows, corners],
        vn=(scene.vn @ a.rotation.T)[rows, corners],
        material=material,
        c2w=c2w,
        images=np.minimum(images, FLOAT16_MAX).astype(np.float16),
        visible=visible,
    )


def _scale_lights(scene: TrainingScene, factors: FloatArray) -> TrainingScene:
    """The scene with the emission of each light multiplied by its factor, without light layers."""
    if scene.layers is None:
        return scene
    lights = light_indices(scene.material)
    material = scene.material.copy()
    material[:, EMISSION] *= np.append(factors, 1)[lights, None]  # index -1, no light: factor 1
    images = np.einsum("l,lvhwc->vhwc", factors, scene.layers.astype(np.float32))
    return replace(scene, material=material, images=images, layers=None)
