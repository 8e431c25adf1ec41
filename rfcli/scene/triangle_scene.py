"""`TriangleScene`: everything the renderers, the network and the dataset know of a scene."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError

FloatArray = npt.NDArray[np.float32]

# Columns of `material`.
DIFFUSE = slice(0, 3)
SPECULAR = slice(3, 6)
ROUGHNESS = 6
NORMAL = slice(7, 10)
EMISSION = slice(10, 13)

FLAT_NORMAL = (0.5, 0.5, 1.0)  # tangent-space normal map value that leaves the shading normal as it is


@dataclass(frozen=True)
class TriangleScene:
    """Triangles with constant materials, and cameras that look at them; linear units, world space, +Z up.

    N triangles, V views. All arrays are float32 and finite.

    triangles [N, 3, 3]: vertex positions; the scene lies inside [-0.5, 0.5]^3, lights usually outside it.
    vn        [N, 3, 3]: unit vertex normals.
    material  [N, 13]: diffuse rgb, specular rgb, roughness (all 0..1), tangent normal, emitted radiance rgb (>= 0).
    c2w       [V, 4, 4]: camera to world; the camera looks down its -Z, +Y is up, +X right.
    fov       [V]: field of view of the square image, degrees.

    Raises InputError where a shape is wrong or a number is not finite.
    """

    triangles: FloatArray
    vn: FloatArray
    material: FloatArray
    c2w: FloatArray
    fov: FloatArray

    def __post_init__(self) -> None:
        n, v = len(self.triangles), len(self.c2w)
        shapes = {"triangles": (n, 3, 3), "vn": (n, 3, 3), "material": (n, 13), "c2w": (v, 4, 4), "fov": (v,)}
        for name, shape in shapes.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            if array.shape != shape:
                raise InputError(f"{name} has shape {list(array.shape)}; this scene needs {list(shape)}.")
            if not np.isfinite(array).all():
                raise InputError(f"{name} holds numbers that are not finite; repair the mesh or the scene file.")
            object.__setattr__(self, name, array)
        if n == 0:
            raise InputError("The scene has no triangles; add an object with faces.")

    def __len__(self) -> int:
        """Number of triangles."""
        return len(self.triangles)

    @property
    def emitters(self) -> npt.NDArray[np.bool_]:
        """[N] True where a triangle emits light."""
        return np.asarray((self.material[:, EMISSION] > 0).any(axis=1))
