"""Exact augmentations: changes of a scene after which the true image is known without tracing a path.

Light transport commutes with moving, turning and mirroring the whole scene together with its cameras and with
permuting r, g and b, or showing one of them in the place of all; it is linear in emission, of each light by itself;
and it knows no order of triangles or of their vertices.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.dataset.sample import HALF_MAX
from rfcli.dataset.training_scene import TrainingScene
from rfcli.scene import DIFFUSE, EMISSION, SPECULAR
from rfcli.scene.light_layers import light_of_each

FloatArray = npt.NDArray[np.float32]

EMISSION_RANGE = 1.5  # emission is scaled by up to this factor either way
LIGHT_RANGE = 3.0  # and each light's by up to this one, where its own image is known


@dataclass(frozen=True)
class Augmentation:
    """One draw. rotation [3, 3]: orthogonal, determinant -1 where it mirrors. translation [3]: after the rotation.
    channels: a permutation of r, g, b, or one of them three times. emission: factor; lights [L]: one more for each
    light whose own image is known.
    turns [N]: by how many places each triangle's vertices are rolled. order [N]: a permutation of the triangles."""

    rotation: FloatArray
    translation: FloatArray
    channels: npt.NDArray[np.int64]
    emission: float
    lights: FloatArray
    turns: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]


def draw(
    rng: np.random.Generator,
    triangles: int,
    rotations: str,
    translations: float = 0.0,
    lights: int = 0,
    monochrome: bool = False,
) -> Augmentation:
    """A random augmentation of a scene of so many triangles. rotations: none, upright (about the vertical axis) or any.
    translations: standard deviation along each axis. lights: of how many the own images are known.
    monochrome: show the scene by the light of one channel alone."""
    rotation = {"none": _no_rotation, "upright": _yaw, "any": _any_rotation}[rotations](rng)
    if rng.random() < 0.5:
        rotation = rotation @ np.diag([-1.0, 1.0, 1.0])
    return Augmentation(
        rotation.astype(np.float32),
        (translations * rng.standard_normal(3)).astype(np.float32),
        np.full(3, rng.integers(3)) if monochrome else rng.permutation(3),
        float(EMISSION_RANGE ** rng.uniform(-1, 1)),
        (LIGHT_RANGE ** rng.uniform(-1, 1, lights)).astype(np.float32),
        rng.integers(0, 3, triangles),
        rng.permutation(triangles),
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
    """The augmented scene, cameras and images, without layers.

    Where the scene is mirrored, each camera's own X axis is flipped back (a camera is never left-handed) and its image
    with it, and two vertices of each triangle change places (its winding says which side is its front).
    """
    scene = _relit(scene, a.lights)
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
        place = np.append(np.argsort(a.order), -1).astype(np.int32)  # where each triangle went; -1 stays -1
        visible = place[visible]
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
        images=np.minimum(images, HALF_MAX).astype(np.float16),
        visible=visible,
    )


def _relit(scene: TrainingScene, factors: FloatArray) -> TrainingScene:
    """The scene with each light's emission multiplied by its factor; without layers, none of which is true any more."""
    if scene.layers is None:
        return scene
    lights = light_of_each(scene.material)
    material = scene.material.copy()
    material[:, EMISSION] *= np.append(factors, 1)[lights, None]  # the last is that of triangles which are no light
    images = np.einsum("l,lvhwc->vhwc", factors, scene.layers.astype(np.float32))
    return replace(scene, material=material, images=images, layers=None)
