"""What is in a scene, in numbers, and what of it lies beyond what published models have learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.scene.geometry import triangle_areas
from rfcli.scene.pitfalls import pitfalls
from rfcli.scene.schema import read_description
from rfcli.scene.triangle_scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR, TriangleScene
from rfcli.scene.triangulate import shaded_mesh

BOX = 0.5  # half the side of the cube that a scene fills; lights stand outside
STRETCHED = 1.35 - BOX + 1e-3  # how far published walls reach: they stand on the floor, up to 1.35 high
MOST = 4096  # triangles of the largest published training scenes
MOST_MATERIALS = 12  # rows of a table of materials; the others are summed up


@dataclass(frozen=True)
class Part:
    """An object of a scene file, or all dark triangles of one material: means over the triangles, colours rgb."""

    name: str
    triangles: int
    size: tuple[float, float, float]
    diffuse: tuple[float, float, float]
    specular: float
    roughness: float
    emission: float


@dataclass(frozen=True)
class Light:
    """All emitting triangles of one radiance (mean of rgb): how many, their area, the distance of their centre."""

    triangles: int
    radiance: float
    area: float
    distance: float


@dataclass(frozen=True)
class Eye:
    """A camera: where it is, where it looks, its field of view in degrees."""

    position: tuple[float, float, float]
    direction: tuple[float, float, float]
    fov: float


@dataclass(frozen=True)
class Inventory:
    """by_object: the parts are objects with their names, not materials."""

    by_object: bool
    parts: Sequence[Part]
    lights: Sequence[Light]
    cameras: Sequence[Eye]
    warnings: Sequence[str]


def inventory(scene: TriangleScene, path: Path) -> Inventory:
    """The inventory of a scene that was read from `path`; only a .json file knows its objects."""
    by_object = path.suffix == ".json"
    parts = _objects(scene, path) if by_object else _materials(scene)
    return Inventory(by_object, parts, _lights(scene), _cameras(scene), _warnings(scene))


def _objects(scene: TriangleScene, path: Path) -> list[Part]:
    description = read_description(path)
    counts = [len(shaded_mesh(part, path.parent).faces) for part in description.objects.values()]
    groups = np.split(np.arange(len(scene)), np.cumsum(counts)[:-1])
    return [_part(scene, name, group) for name, group in zip(description.objects, groups, strict=True)]


def _materials(scene: TriangleScene) -> list[Part]:
    """The materials with the most triangles first."""
    dark = np.flatnonzero(~scene.emitters)
    _, group, counts = np.unique(scene.material[dark], axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    members = [dark[group.ravel() == number] for number in order[:MOST_MATERIALS]]
    parts = [_part(scene, f"material {number}", member) for number, member in enumerate(members, 1)]
    others = dark[np.isin(group.ravel(), order[MOST_MATERIALS:])]
    if len(others):
        parts.append(_part(scene, f"{len(order) - MOST_MATERIALS:,} more", others))
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


def _cameras(scene: TriangleScene) -> list[Eye]:
    return [
        Eye(_triple(pose[:3, 3]), _triple(-pose[:3, 2]), float(fov))
        for pose, fov in zip(scene.c2w, scene.fov, strict=True)
    ]


def _warnings(scene: TriangleScene) -> list[str]:
    emits = scene.emitters
    centres, reach = scene.triangles.mean(axis=1), np.abs(scene.triangles).max(axis=(1, 2))
    inside = int((emits & (np.abs(centres) <= BOX).all(axis=1)).sum())
    outside = int((~emits & (reach > STRETCHED)).sum())
    warnings = pitfalls(scene, range(len(scene.c2w)))
    if inside:
        warnings.append(f"Light triangles inside [-0.5, 0.5]^3: {inside:,}; published models learned them outside.")
    if len(scene) > MOST:
        warnings.append(f"{len(scene):,} triangles are beyond the {MOST:,} that published models learned from.")
    if outside:
        warnings.append(f"Triangles outside [-0.5, 0.5]^3, farther than published walls reach: {outside:,}.")
    return warnings


def _triple(values: npt.NDArray[np.float32]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
