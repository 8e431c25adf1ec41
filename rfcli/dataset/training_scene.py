"""A scene with its images at the resolution of training, in memory."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.dataset.sample import Sample
from rfcli.errors import InputError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainingScene:
    """A scene of N triangles with V views of H x H pixels and L lights.

    Attributes:
        triangles: [N, 3, 3] vertices.
        vn: [N, 3, 3] vertex normals.
        material: [N, 13], as in `TriangleScene`.
        c2w: [V, 4, 4] camera-to-world matrices.
        fov: [V] degrees.
        images: [V, H, H, 3] float16, linear radiance.
        visible: [V, H, H] int32, index of the first triangle behind each pixel, -1 for none; None if not computed.
        layers: [L, V, H, H, 3] float16, the images by each light alone; None if the dataset does not hold them.
    """

    triangles: FloatArray
    vn: FloatArray
    material: FloatArray
    c2w: FloatArray
    fov: FloatArray
    images: npt.NDArray[np.float16]
    visible: npt.NDArray[np.int32] | None = None
    layers: npt.NDArray[np.float16] | None = None


def at_resolution(sample: Sample, resolution: int) -> TrainingScene:
    """Averages the images of a sample down to a lower resolution.

    A pixel is the mean radiance over its area, so the mean of a block of pixels is exactly the pixel of the smaller
    image.

    Args:
        sample: A scene of a dataset.
        resolution: Side H of the images in pixels; must divide the resolution of the sample.

    Returns:
        The scene without `visible`.

    Raises:
        InputError: `resolution` does not divide the resolution of the sample.
    """
    side = sample.images.shape[1]
    if side % resolution:
        raise InputError(f"The dataset holds images of {side} pixels; `resolution` {resolution} must divide that.")

    def smaller(images: npt.NDArray[np.float16]) -> npt.NDArray[np.float16]:
        block = side // resolution
        if block == 1:
            return images
        rows = images.astype(np.float32).reshape(*images.shape[:-3], resolution, block, side, 3).sum(-3)
        blocks = rows.reshape(*images.shape[:-3], resolution, resolution, block, 3).sum(-2)
        return np.asarray((blocks / block**2).astype(np.float16))

    scene = sample.scene
    layers = None if sample.layers is None else smaller(sample.layers)
    arrays = (scene.triangles, scene.vn, scene.material, scene.c2w, scene.fov)
    return TrainingScene(*arrays, images=smaller(sample.images), layers=layers)


def with_views(scene: TrainingScene, views: npt.NDArray[np.int64]) -> TrainingScene:
    """The scene with only the cameras of the given indices [v]."""
    visible = None if scene.visible is None else scene.visible[views]
    layers = None if scene.layers is None else scene.layers[:, views]
    images = scene.images[views]
    return replace(scene, c2w=scene.c2w[views], fov=scene.fov[views], images=images, visible=visible, layers=layers)
