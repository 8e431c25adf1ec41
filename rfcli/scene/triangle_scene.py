"""`TriangleScene`, the scene that renderers, network and datasets work with, and its separation by light."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError, InputWarning

if TYPE_CHECKING:
    import trimesh

FloatArray = npt.NDArray[np.float32]

# Columns of `material`.
DIFFUSE = slice(0, 3)
SPECULAR = slice(3, 6)
ROUGHNESS = 6
NORMAL = slice(7, 10)
EMISSION = slice(10, 13)

FLAT_NORMAL = (0.5, 0.5, 1.0)  # tangent-space normal map that leaves the shading normal unchanged


@dataclass(frozen=True)
class TriangleScene:
    """Triangles with constant materials, and cameras; linear units, world space, +Z up.

    N triangles, V views. All arrays are converted to float32.

    Attributes:
        triangles: [N, 3, 3] vertex positions; the scene lies in [-0.5, 0.5]^3, lights usually outside.
        vn: [N, 3, 3] unit vertex normals.
        material: [N, 13] diffuse rgb, specular rgb, roughness (all 0..1), tangent normal, emitted radiance rgb (>= 0).
        c2w: [V, 4, 4] camera to world; the camera looks down its -Z, +Y is up, +X right.
        fov: [V] field of view of the square image, degrees.

    Raises:
        InputError: An array has the wrong shape or values that are not finite, or there are no triangles.
    """

    triangles: FloatArray
    vn: FloatArray
    material: FloatArray
    c2w: FloatArray
    fov: FloatArray

    def __post_init__(self) -> None:
        axes: dict[str, tuple[str | int, ...]] = {
            "triangles": ("N", 3, 3),
            "vn": ("N", 3, 3),
            "material": ("N", 13),
            "c2w": ("V", 4, 4),
            "fov": ("V",),
        }
        sizes: dict[str | int, int] = {}
        for name, expected in axes.items():
            array = _float_array(name, getattr(self, name))
            if array.ndim == len(expected):
                sizes.setdefault(expected[0], len(array))
            shape = tuple(sizes.get(axis, axis) for axis in expected)
            if array.shape != shape:
                wanted = ", ".join(map(str, shape))
                raise InputError(f"{name} has shape {list(array.shape)}; this scene needs [{wanted}].")
            if not np.isfinite(array).all():
                raise InputError(f"{name} holds numbers that are not finite; repair the mesh or the scene file.")
            object.__setattr__(self, name, array)
        if sizes["N"] == 0:
            raise InputError("The scene has no triangles; add an object with faces.")

    @classmethod
    def from_trimesh(
        cls,
        source: "trimesh.Trimesh | trimesh.Scene",
        up: Literal["y", "z"] = "z",
        max_triangles: int = 4096,
        detail: int | None = None,
        backdrop: bool = True,
    ) -> "TriangleScene":
        """A scene of what trimesh has loaded or built, with its colours, materials and textures.

        Args:
            source: A mesh, or a scene, whose cameras and lights are not used.
            up: Its vertical axis.
            max_triangles: More are decimated.
            detail: Cut triangles within which the material varies, up to this number of triangles.
            backdrop: Place it on the lit backdrop; else light and camera are added only.

        Returns:
            The scene, in [-0.5, 0.5]^3. What was left out or approximated is said in a UserWarning each.

        Raises:
            InputError: The source has no faces, or is neither a mesh nor a scene.
        """
        import warnings

        from rfcli.scene.formats.from_trimesh import contents_of
        from rfcli.scene.formats.place import place_contents

        placed = place_contents(contents_of(source, up), "source", up, max_triangles, detail, backdrop)
        for note in placed.notes:
            warnings.warn(note, InputWarning, stacklevel=2)
        return placed.scene

    def __len__(self) -> int:
        """Number of triangles."""
        return len(self.triangles)

    @property
    def emitters(self) -> npt.NDArray[np.bool_]:
        """[N] True where a triangle emits light."""
        return np.asarray((self.material[:, EMISSION] > 0).any(axis=1))


def _float_array(name: str, values: object) -> FloatArray:
    """Contiguous, of float32; also from lists and from tensors of torch. Raises InputError if they are no numbers."""
    if hasattr(values, "detach"):  # a tensor, which may be on a GPU or need gradients
        values = values.detach().cpu()
    try:
        return np.asarray(values, dtype=np.float32, order="C")
    except (TypeError, ValueError):
        raise InputError(f"{name} must be an array of numbers, got {type(values).__name__}.") from None


def split_lights(scene: TriangleScene) -> list[TriangleScene]:
    """One scene per light, with only that light on. Light is additive: their images sum to the image of the scene.

    Args:
        scene: Emitters of equal radiance are one light.

    Returns:
        Scenes in ascending order of the lights' radiances. The other lights stay in place and, as all emitters,
        reflect nothing.
    """
    lights = light_indices(scene.material)
    layers = []
    for light in range(lights.max() + 1):
        dark = (lights >= 0) & (lights != light)
        material = scene.material.copy()
        for column in (DIFFUSE, SPECULAR, EMISSION):
            material[dark, column] = 0.0
        layers.append(replace(scene, material=material))
    return layers


def light_indices(material: FloatArray) -> npt.NDArray[np.int64]:
    """Index of each triangle's light, in the order of `split_lights`.

    Args:
        material: [N, 13].

    Returns:
        [N] index of the light, -1 for triangles that do not emit.
    """
    emitters = (material[:, EMISSION] > 0).any(axis=1)
    lights = np.full(len(material), -1)
    if emitters.any():
        lights[emitters] = np.unique(material[emitters, EMISSION], axis=0, return_inverse=True)[1].reshape(-1)
    return lights
