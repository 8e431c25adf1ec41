"""The official scene JSON: field names, defaults and limits, checked by pydantic.

Field names and defaults are those of the official converter (github.com/microsoft/renderformer, scene_processor).
"""

import codecs
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rfcli.errors import InputError, validation_message
from rfcli.runtime.files import check_not_lfs_pointer
from rfcli.scene.limits import MAX_COORDINATE, MAX_ENTRIES, MAX_SCENE_BYTES, MAX_TRIANGLES

MAX_EMISSION = 65504.0  # the largest number in half precision, in which the official texture is stored
MAX_FOV = 179.0  # degrees; at 180 the image of a pinhole camera is infinite


def _not_zero(value: float) -> float:
    if value == 0:
        raise ValueError("the object would have no thickness")
    return value


def _no_null(value: str) -> str:
    if "\0" in value:
        raise ValueError("a path must not contain a null character")
    return value


Coordinate = Annotated[float, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Vector = tuple[Coordinate, Coordinate, Coordinate]
Factor = Annotated[Coordinate, AfterValidator(_not_zero)]
MeshPath = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_no_null)]
Unit = Annotated[float, Field(ge=0, le=1)]
Reflectance = tuple[Unit, Unit, Unit]
Radiance = Annotated[float, Field(ge=0, le=MAX_EMISSION)]


class Description(BaseModel):
    """Base of all parts of a scene file: unknown fields, NaN, infinity and numbers in quotes are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Transform(Description):
    """Placement of a mesh: normalised, rotated, scaled, translated, in this order, along the world's axes.

    rotation: degrees about x, then y, then z. normalize: move the vertices' mean to 0 and fit a sphere of diameter 1.
    """

    translation: Vector
    rotation: Vector
    scale: tuple[Factor, Factor, Factor]
    normalize: bool = True


class Material(Description):
    """Sum of a diffuse and a GGX lobe, and emission; constant over the object unless diffuse colours are random.

    With rand_tri_diffuse_seed, each triangle or shading group gets a random diffuse colour in 0..random_diffuse_max.
    Triangles with colours of their own are shaded flat, whatever smooth_shading is: the official converter separates
    them to colour them.
    """

    diffuse: Reflectance
    specular: Reflectance
    roughness: Unit
    emissive: tuple[Radiance, Radiance, Radiance]
    smooth_shading: bool
    rand_tri_diffuse_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    random_diffuse_max: Unit = 1.0
    random_diffuse_type: Literal["per-triangle", "per-shading-group"] = "per-shading-group"

    @property
    def colours_every_triangle(self) -> bool:
        """Whether each triangle has a random colour of its own."""
        return self.rand_tri_diffuse_seed is not None and self.random_diffuse_type == "per-triangle"


class Object(Description):
    """One mesh file, its material and placement; remesh: use about remesh_target_face_num even faces instead."""

    mesh_path: MeshPath
    material: Material
    transform: Transform
    remesh: bool = False
    remesh_target_face_num: Annotated[int, Field(ge=4, le=MAX_TRIANGLES)] = 2048


class Camera(Description):
    """A pinhole camera with a square image; fov in degrees."""

    position: Vector
    look_at: Vector
    up: Vector
    fov: Annotated[float, Field(gt=0, le=MAX_FOV)]


class Scene(Description):
    """A whole scene file; triangles come in the order of `objects`."""

    scene_name: str
    version: str
    objects: Annotated[dict[str, Object], Field(min_length=1, max_length=MAX_ENTRIES)]
    cameras: Annotated[list[Camera], Field(min_length=1, max_length=MAX_ENTRIES)]


def read_description(path: Path) -> Scene:
    """Read and check a scene file. Raises InputError naming the file, the field and the problem.

    A byte order mark, which editors on Windows write, is ignored (RFC 8259, sec. 8.1).
    """
    try:
        size = path.stat().st_size
        if size > MAX_SCENE_BYTES:
            raise InputError(f"{path}: {size / 1e6:,.0f} MB are too much for a scene file; put meshes into files.")
        check_not_lfs_pointer(path)
        return Scene.model_validate_json(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        problem, remedy = validation_message(error)
        raise InputError(f"{path}: {problem}; {remedy}.") from error
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}); check its permissions.") from error
