"""Contents of a file before anything is placed, cut or converted: parts, materials, textures, cameras, lights."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Colour = tuple[float, float, float]
Wrap = Literal["repeat", "mirror", "clamp"]


@dataclass(frozen=True, eq=False)
class Texture:
    """An image on a surface; u to the right, v downwards, (0, 0) is the upper left corner, as in glTF.

    Readers of formats whose v points upwards (OBJ) store 1 - v in `Part.uv`.

    Attributes:
        pixels: [H, W, 4] uint8 rgba as stored, first row at the top; whether they are sRGB depends on the use.
        wrap: Outside of 0..1, along u and along v.
        transform: [2, 3] affine map of uv before the image is looked up (KHR_texture_transform); None: unchanged.
        uv_set: 0 for `Part.uv`, 1 for `Part.uv1`.
    """

    pixels: npt.NDArray[np.uint8]
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    transform: Floats | None = None
    uv_set: int = 0


@dataclass(frozen=True, eq=False)
class Material:
    """Metallic-roughness material of glTF 2.0; all colours and factors are linear, textures multiply them.

    A format with diffuse and specular colours (MTL) has its diffuse colour in `base_colour`, its specular colour in
    `specular`, and `metallic` 0.

    Attributes:
        name: In the file.
        base_colour: Diffuse colour where not metallic, specular colour where metallic; 0..1.
        opacity: 0..1, times the alpha of `base_texture` and of vertex colours.
        metallic: 0..1.
        roughness: 0..1, perceptual: its square is the alpha of GGX.
        specular: Reflectance at normal incidence where not metallic; 0.04 is glass or plastic.
        emission: Emitted radiance, >= 0, in the unit of the file.
        base_texture: rgb sRGB, alpha linear.
        metallic_texture: Linear; g is roughness, b is metallic.
        specular_texture: Linear; alpha multiplies `specular`.
        specular_colour_texture: rgb sRGB, multiplies `specular`.
        emission_texture: rgb sRGB.
        alpha_mode: "opaque" ignores alpha; "mask" cuts at `alpha_cutoff`; "blend" is transparent, in our pictures cut
            at 0.5.
        alpha_cutoff: Alpha below which nothing is there, for "mask".
        double_sided: Whether the back is shown, too.
        unlit: Whether `base_colour` is the colour in the picture, whatever the light (KHR_materials_unlit).
    """

    name: str = ""
    base_colour: Colour = (1.0, 1.0, 1.0)
    opacity: float = 1.0
    metallic: float = 0.0
    roughness: float = 1.0
    specular: Colour = (0.04, 0.04, 0.04)
    emission: Colour = (0.0, 0.0, 0.0)
    base_texture: Texture | None = None
    metallic_texture: Texture | None = None
    specular_texture: Texture | None = None
    specular_colour_texture: Texture | None = None
    emission_texture: Texture | None = None
    alpha_mode: Literal["opaque", "mask", "blend"] = "opaque"
    alpha_cutoff: float = 0.5
    double_sided: bool = True
    unlit: bool = False


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles of one material, in the coordinates of the whole file (transforms of nodes are applied).

    Attributes:
        name: In the file, or a number.
        vertices: [M, 3].
        faces: [F, 3] indices of vertices; counter-clockwise seen from the front.
        normals: [M, 3] unit vertex normals; None: to be computed.
        colours: [M, 4] linear rgba per vertex, which multiply `base_colour`; None: white.
        face_colours: [F, 4] linear rgba per face, likewise.
        uv: [M, 2] texture coordinates, see `Texture`.
        uv1: [M, 2] a second set.
        material: None: the file says nothing.
    """

    name: str
    vertices: Floats
    faces: Indices
    normals: Floats | None = None
    colours: Floats | None = None
    face_colours: Floats | None = None
    uv: Floats | None = None
    uv1: Floats | None = None
    material: Material | None = None


@dataclass(frozen=True, eq=False)
class FileCamera:
    """A perspective camera.

    Attributes:
        name: In the file.
        c2w: [4, 4] rigid motion; the camera looks down its -Z, +Y is up.
        fov_y: Vertical field of view, degrees.
        aspect: Width by height of its image; None: that of the picture.
    """

    name: str
    c2w: Floats
    fov_y: float
    aspect: float | None = None


@dataclass(frozen=True, eq=False)
class FileLight:
    """A light without size.

    Attributes:
        name: In the file.
        kind: "point", "spot" or "sun" (parallel light).
        position: [3]; without meaning for a sun.
        direction: [3] unit vector in which light travels; without meaning for a point.
        intensity: rgb; radiance unit of the file times area (power per solid angle; candela if radiance is in
            cd/m^2), for a sun irradiance (lux).
        inner, outer: Half angles of a spot in radians, between which it fades.
    """

    name: str
    kind: Literal["point", "spot", "sun"]
    position: Floats
    direction: Floats
    intensity: Colour
    inner: float = 0.0
    outer: float = float(np.pi / 4)


@dataclass(frozen=True, eq=False)
class Contents:
    """All that a file says and that pictures can show.

    Attributes:
        parts: With at least one face in all.
        up: Vertical axis.
        cameras: In the order of the file.
        lights: In the order of the file.
        notes: A sentence each about what was approximated or left out, without the file's name.
    """

    parts: list[Part]
    up: Literal["y", "z"]
    cameras: list[FileCamera] = field(default_factory=list)
    lights: list[FileLight] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_scene(self) -> bool:
        """Whether the file has cameras or lights: then it needs no backdrop."""
        return bool(self.cameras or self.lights)
