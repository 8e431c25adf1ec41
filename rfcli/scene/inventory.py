"""Contents of a scene in numbers: objects or materials, lights, cameras, warnings (`rf render --show-scene`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.scene.geometry import triangle_areas
from rfcli.scene.triangle_scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR, TriangleScene
from rfcli.scene.warnings import scene_warnings, training_range_warnings

MAX_MATERIALS = 12  # listed one by one; the others are summed up


@dataclass(frozen=True)
class Part:
    """An object of a scene file, or all triangles of one material that do not emit; means over the triangles."""

    name: str
    triangles: int
    size: tuple[float, float, float]
    diffuse: tuple[float, float, float]
    specular: float
    roughness: float
    emission: float


@dataclass(frozen=True)
class Light:
    """All emitting triangles of one radiance (mean of rgb): count, total area, distance of the centre from 0, 0, 0."""

    triangles: int
    radiance: float
    area: float
    distance: float


@dataclass(frozen=True)
class Camera:
    """Position, viewing direction, and field of view in degrees."""

    position: tuple[float, float, float]
    direction: tuple[float, float, float]
    fov: float


@dataclass(frozen=True)
class Inventory:
    """Contents of a scene.

    Attributes:
        by_object: True if `parts` are the objects of the scene file, False if they are materials.
        parts: Objects in the order of the file, or materials, the one with the most triangles first.
        lights: In ascending order of radiance.
        cameras: In the order of the file.
        warnings: Sentences about black images, cameras inside objects, and differences from published scenes.
    """

    by_object: bool
    parts: Sequence[Part]
    lights: Sequence[Light]
    cameras: Sequence[Camera]
    warnings: Sequence[str]


def scene_inventory(
    scene: TriangleScene, path: Path, objects: Sequence[tuple[str, npt.NDArray[np.int64]]] = ()
) -> Inventory:
    """Contents of a scene.

    Args:
        scene: The scene.
        path: The file it was read from; a .json file names its objects.
        objects: Names and triangles of its objects, where they are known already.

    Returns:
        The inventory.
    """
    by_object = path.suffix.lower() == ".json" or bool(objects)
    if objects:
        parts = [_part(scene, name, members) for name, members in objects if len(members)]
    else:
        parts = _objects(scene, path) if by_object else _materials(scene)
    warnings = [*scene_warnings(scene, range(len(scene.c2w))), *training_range_warnings(scene)]
    return Inventory(by_object, parts, _lights(scene), _cameras(scene), warnings)


def part_triangles(scene: TriangleScene, path: Path | None) -> dict[str, npt.NDArray[np.int64]]:
    """The objects of a scene with the indices of their triangles.

    Args:
        scene: The scene.
        path: The file it was read from; a .json file names its objects.

    Returns:
        Indices by name. Without a .json file they are grouped by material: first those that do not emit, the material
        with the most triangles first, then emitters of equal radiance.
    """
    if path is not None and path.suffix == ".json":
        return _object_triangles(scene, path)
    groups = {f"material {number}": members for number, members in enumerate(_by_material(scene, ~scene.emitters), 1)}
    lights = _by_material(scene, scene.emitters)
    return {**groups, **{f"light {number}": members for number, members in enumerate(lights, 1)}}


def _object_triangles(scene: TriangleScene, path: Path) -> dict[str, npt.NDArray[np.int64]]:
    from rfcli.scene.schema import read_description
    from rfcli.scene.triangulate import shaded_mesh

    description = read_description(path)
    counts = [len(shaded_mesh(part, path.parent).faces) for part in description.objects.values()]
    groups = np.split(np.arange(len(scene)), np.cumsum(counts)[:-1])
    return dict(zip(description.objects, groups, strict=True))


def _by_material(scene: TriangleScene, chosen: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.int64]]:
    """Indices of the chosen triangles of each material, the one with the most triangles first."""
    members = np.flatnonzero(chosen)
    if not len(members):
        return []
    _, group, counts = np.unique(scene.material[members], axis=0, return_inverse=True, return_counts=True)
    groups = np.split(members[np.argsort(group.ravel(), kind="stable")], np.cumsum(counts)[:-1])
    return [groups[number] for number in np.argsort(-counts, kind="stable")]


def _objects(scene: TriangleScene, path: Path) -> list[Part]:
    return [_part(scene, name, group) for name, group in _object_triangles(scene, path).items()]


def _materials(scene: TriangleScene) -> list[Part]:
    groups = _by_material(scene, ~scene.emitters)
    parts = [_part(scene, f"material {number}", group) for number, group in enumerate(groups[:MAX_MATERIALS], 1)]
    if others := groups[MAX_MATERIALS:]:
        parts.append(_part(scene, f"{len(others):,} more", np.concatenate(others)))
    return parts


def _part(scene: TriangleScene, name: str, members: npt.NDArray[np.int64]) -> Part:
    corners, material = scene.triangles[members].reshape(-1, 3), scene.material[members].mean(axis=0)
    return Part(
        name,
        len(members),
        _triple(np.ptp(corners, axis=0)),
        _triple(material[DIFFUSE]),
        float(material[SPECULAR].mean()),
        float(material[ROUGHNESS]),
        float(material[EMISSION].mean()),
    )


def _lights(scene: TriangleScene) -> list[Light]:
    corners, radiance = scene.triangles[scene.emitters], scene.material[scene.emitters, EMISSION].mean(axis=1)
    area, centre = triangle_areas(corners.astype(np.float64)), corners.mean(axis=1)
    lights = []
    for value in np.unique(radiance):
        same = radiance == value
        distance = float(np.linalg.norm(centre[same].mean(axis=0)))
        lights.append(Light(int(same.sum()), float(value), float(area[same].sum()), distance))
    return lights


def _cameras(scene: TriangleScene) -> list[Camera]:
    return [
        Camera(_triple(pose[:3, 3]), _triple(-pose[:3, 2]), float(fov))
        for pose, fov in zip(scene.c2w, scene.fov, strict=True)
    ]


def _triple(values: npt.NDArray[np.float32]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
