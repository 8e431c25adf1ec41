"""A scene with its images at the resolution of training, held in memory."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.dataset.sample import Sample
from rfcli.errors import InputError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainingScene:
    """One scene of N triangles and V views.

    triangles, vn, material, c2w, fov: as in TriangleScene. images [V, H, H, 3] linear radiance, float16.
    visible [V, H, H] int32: the triangle that each pixel sees, -1 for none; None where nobody computed it.
    layers [L, V, H, H, 3] float16: the images by each light alone; None where the dataset does not hold them.
    """

    triangles: FloatArray
    vn: FloatArray
    material: FloatArray
    c2w: FloatArray
    fov: FloatArray
    images: npt.NDArray[np.float16]
    visible: npt.NDArray[np.int32] | None = None
    layers: npt.NDArray[np.float16] | None = None


def training_scene(sample: Sample, resolution: int) -> TrainingScene:
    """The sample with its images averaged down to `resolution`.

    Pixels hold mean radiance over their area, so the mean of a block of them is the pixel of a smaller image exactly.
    Raises InputError where the images' size is no multiple of `resolution`.
    """
    side = sample.images.shape[1]
    if side % resolution:
        raise InputError(f"The dataset holds images of {side} pixels; --resolution {resolution} must divide that.")

    def smaller(images: npt.NDArray[np.float16]) -> npt.NDArray[np.float16]:
        block = side // resolution
        blocks = images.reshape(*images.shape[:-3], resolution, block, resolution, block, 3)
        return np.asarray(blocks.mean((-4, -2), dtype=np.float32).astype(np.float16))

    scene = sample.scene
    layers = None if sample.layers is None else smaller(sample.layers)
    arrays = (scene.triangles, scene.vn, scene.material, scene.c2w, scene.fov)
    return TrainingScene(*arrays, images=smaller(sample.images), layers=layers)


def with_views(scene: TrainingScene, views: npt.NDArray[np.int64]) -> TrainingScene:
    """The same triangles, seen by some of the cameras. views: their indices."""
    visible = None if scene.visible is None else scene.visible[views]
    layers = None if scene.layers is None else scene.layers[:, views]
    images = scene.images[views]
    return replace(scene, c2w=scene.c2w[views], fov=scene.fov[views], images=images, visible=visible, layers=layers)
