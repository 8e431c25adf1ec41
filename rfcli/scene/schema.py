"""The official scene JSON: field names, defaults and limits, checked by pydantic.

Field names and defaults are those of the official converter (github.com/microsoft/renderformer, scene_processor).
"""

import codecs
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rfcli.errors import InputError, violation
from rfcli.scene.limits import FARTHEST, LARGEST_SCENE, LARGEST_TEXT, MOST_PARTS

# The official texture is stored in half precision, whose largest number this is.
LARGEST_EMISSION = 65504.0
NEARLY_FLAT = 179.0  # degrees of the widest camera: at 180 a pinhole's image has no end


def _not_zero(value: float) -> float:
    if value == 0:
        raise ValueError("the object would have no thickness")
    return value


def _no_null(value: str) -> str:
    if "\0" in value:
        raise ValueError("a path holds no null character")
    return value


Coordinate = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]
Vector = tuple[Coordinate, Coordinate, Coordinate]
Factor = Annotated[Coordinate, AfterValidator(_not_zero)]
MeshPath = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_no_null)]
Unit = Annotated[float, Field(ge=0, le=1)]
Reflectance = tuple[Unit, Unit, Unit]
Radiance = Annotated[float, Field(ge=0, le=LARGEST_EMISSION)]


class Description(BaseModel):
    """Every part of a scene file: unknown fields, NaN, infinity and numbers in quotes are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Transform(Description):
    """How a mesh is placed: normalised, then rotated, scaled, translated, all along the world's axes.

    rotation: degrees about x, then y, then z. normalize: centre the vertices' mean and fit a sphere of diameter 1.
    """

    translation: Vector
    rotation: Vector
    scale: tuple[Factor, Factor, Factor]
    normalize: bool = True


class Material(Description):
    """A diffuse and a GGX lobe, added, and emission; constant over the object unless diffuse is drawn at random.

    With rand_tri_diffuse_seed, each triangle or shading group draws its diffuse colour from 0..random_diffuse_max.
    Triangles coloured one by one are shaded flat, whatever smooth_shading says: the official converter takes the mesh
    apart to colour them.
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
        """Whether each triangle draws a colour of its own."""
        return self.rand_tri_diffuse_seed is not None and self.random_diffuse_type == "per-triangle"


class Object(Description):
    """One mesh file, its material and its place; remesh asks for about remesh_target_face_num even triangles."""

    mesh_path: MeshPath
    material: Material
    transform: Transform
    remesh: bool = False
    remesh_target_face_num: Annotated[int, Field(ge=4, le=LARGEST_SCENE)] = 2048


class Camera(Description):
    """A pinhole camera with a square image; fov in degrees."""

    position: Vector
    look_at: Vector
    up: Vector
    fov: Annotated[float, Field(gt=0, le=NEARLY_FLAT)]


class Scene(Description):
    """A whole scene file; triangles come in the order of `objects`."""

    scene_name: str
    version: str
    objects: Annotated[dict[str, Object], Field(min_length=1, max_length=MOST_PARTS)]
    cameras: Annotated[list[Camera], Field(min_length=1, max_length=MOST_PARTS)]


def read_description(path: Path) -> Scene:
    """Read and check a scene file; raises InputError naming the file, the field, and what is wrong with it.

    A byte order mark in front, which editors on Windows write, is overlooked (RFC 8259, sec. 8.1).
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_TEXT:
            raise InputError(f"{path}: {size / 1e6:,.0f} MB are too much for a scene file; put meshes into files.")
        return Scene.model_validate_json(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        wrong, remedy = violation(error)
        raise InputError(f"{path}: {wrong}; {remedy}.") from error
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}); check its permissions.") from error
