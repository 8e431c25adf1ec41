"""The official scene JSON: field names, defaults and limits, checked by pydantic.

Field names and defaults are those of the official converter (github.com/microsoft/renderformer, scene_processor).
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rfcli.errors import InputError

# The official texture is stored in half precision, whose largest number this is.
LARGEST_EMISSION = 65504.0


def _not_zero(value: float) -> float:
    if value == 0:
        raise ValueError("the object would have no thickness")
    return value


Vector = tuple[float, float, float]
Factor = Annotated[float, AfterValidator(_not_zero)]
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

    mesh_path: str
    material: Material
    transform: Transform
    remesh: bool = False
    remesh_target_face_num: Annotated[int, Field(ge=4)] = 2048


class Camera(Description):
    """A pinhole camera with a square image; fov in degrees."""

    position: Vector
    look_at: Vector
    up: Vector
    fov: Annotated[float, Field(gt=0, lt=180)]


class Scene(Description):
    """A whole scene file; triangles come in the order of `objects`."""

    scene_name: str
    version: str
    objects: Annotated[dict[str, Object], Field(min_length=1)]
    cameras: Annotated[list[Camera], Field(min_length=1)]


def read_description(path: Path) -> Scene:
    """Read and check a scene file; raises InputError naming the file, the field, and what is wrong with it."""
    try:
        return Scene.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error)}") from error
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}); check its permissions.") from error


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, in words; the rest usually follows from it."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return f"not valid JSON ({first['ctx']['error']}); correct the file."
    if first["type"] == "extra_forbidden":
        return f"unknown field {field}; correct its spelling or remove it."
    if first["type"] == "missing":
        return f"the field {field} is missing; add it."
    if first["type"] == "too_short":
        return f"{field} is empty; add at least one."
    reason = first["msg"].removeprefix("Value error, ")
    return f"{field}: {reason[0].lower()}{reason[1:]}; correct the value."
