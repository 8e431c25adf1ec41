"""Lights without size as small emitting triangles that give the same light.

All emitters emit on both sides, radiance L in every direction, so a flat one of area A has the intensity L A in the
direction of its normal, and a convex body, of which the projected area is S / 4 on average (Cauchy), L S / 4.

- point: a sphere of 80 triangles, whose intensity differs by 1.1 % between directions
- spot: a disc in an open black cylinder or funnel, which cuts the cone: full light within the inner angle, none
  outside the outer one. Between, the light fades as the rim hides the disc; also with the cosine of the angle
- sun: a square far away, of SUN_SIDE / SUN_DISTANCE radians
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh

from rfcli.scene.formats.contents import FileLight, Floats
from rfcli.scene.geometry import face_normals, triangle_areas
from rfcli.scene.schema import MAX_EMISSION
from rfcli.scene.triangle_scene import EMISSION, FLAT_NORMAL, NORMAL, ROUGHNESS

RADIUS = 0.02  # of points and spots: the scene is 1 wide
RADIUS_BY_DISTANCE = 0.01  # for lights far outside: shadow rays end at a share of the distance
FREE_SHARE = 0.2  # of the distance to the nearest surface: a light must not touch it
MIN_RADIUS = 1e-3
SPHERE_SUBDIVISIONS = 1
FUNNEL_SIDES = 8
BACK_GAP = 0.006  # between the disc of a spot and its black back: shadow rays end a little before their target
MAX_FUNNEL_LENGTH = 0.12
WIDEST_CONE = np.radians(80)  # half angle from which a spot has a back, but no funnel
SUN_DISTANCE, SUN_SIDE = 4.0, 0.12  # from the centre of the scene
COLUMNS = 13


@dataclass(frozen=True, eq=False)
class LightTriangles:
    """Name of a light, its triangles [K, 3, 3] and materials [K, 13], and a sentence that describes them."""

    name: str
    triangles: Floats
    material: Floats
    line: str


def light_triangles(light: FileLight, surfaces: Floats) -> LightTriangles:
    """The triangles of a light in placed coordinates.

    Args:
        light: Position and intensity in the units of the placed scene.
        surfaces: [N, 3, 3] triangles of the scene, which a point or spot must not touch.
    """
    if light.kind == "sun":
        return _sun(light)
    nearest = trimesh.triangles.closest_point(surfaces, np.broadcast_to(light.position, (len(surfaces), 3)))  # type: ignore[no-untyped-call]
    free = float(np.linalg.norm(nearest - light.position, axis=1).min(initial=np.inf))
    largest = max(RADIUS, RADIUS_BY_DISTANCE * float(np.linalg.norm(light.position)))
    radius = max(min(largest, FREE_SHARE * free), MIN_RADIUS)
    radius = max(radius, _least_radius(light))
    return _spot(light, radius) if light.kind == "spot" else _point(light, radius)


def _least_radius(light: FileLight) -> float:
    """Of a disc or sphere of 80 triangles, so that its radiance can be stored."""
    return float(np.sqrt(1.1 * max(light.intensity) / (np.pi * MAX_EMISSION)))


def _point(light: FileLight, radius: float) -> LightTriangles:
    ball = trimesh.creation.icosphere(subdivisions=SPHERE_SUBDIVISIONS, radius=radius)  # type: ignore[no-untyped-call]
    triangles = np.asarray(ball.triangles) + light.position
    radiance = np.asarray(light.intensity) / (float(ball.area) / 4)
    line = f"Light {light.name}, a point, is a sphere of radius {radius:.3g} and radiance {radiance.max():,.4g}."
    return LightTriangles(light.name, triangles, _rows(len(triangles), radiance), line)


def _spot(light: FileLight, radius: float) -> LightTriangles:
    """A polygon as large as a disc of radius r, and a rim of radius R at the distance l from it.

    The angles of the cone are tan(inner) = (R - r) / l and tan(outer) = (R + r) / l.
    """
    outer = np.tan(min(light.outer, WIDEST_CONE))
    inner = np.tan(min(light.inner, 0.95 * light.outer, WIDEST_CONE * 0.95))
    length = min(2 * radius / (outer - inner), MAX_FUNNEL_LENGTH * radius / RADIUS)
    radius = max(length * (outer - inner) / 2, _least_radius(light))
    rim = length * (outer + inner) / 2
    angles = 2 * np.pi * np.arange(FUNNEL_SIDES + 1) / FUNNEL_SIDES
    area = FUNNEL_SIDES / 2 * np.sin(2 * np.pi / FUNNEL_SIDES)  # of a polygon of circumradius 1
    circle = np.sqrt(np.pi / area) * np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=1)
    base, top = radius * circle - (0.0, 0.0, BACK_GAP), rim * circle + (0.0, 0.0, length)
    disc = radius * np.stack([np.broadcast_to(circle[0], circle[2:-1].shape), circle[1:-2], circle[2:-1]], axis=1)
    parts = [disc, disc[:, ::-1] - (0.0, 0.0, BACK_GAP)]
    if light.outer < WIDEST_CONE:
        parts += [np.stack([base[:-1], base[1:], top[1:]], 1), np.stack([base[:-1], top[1:], top[:-1]], 1)]
    local = np.concatenate(parts)
    turn = trimesh.geometry.align_vectors([0, 0, 1], light.direction)[:3, :3]  # type: ignore[no-untyped-call]
    radiance = np.asarray(light.intensity) / (np.pi * radius**2)
    material = _rows(len(local), np.zeros(3))
    material[: len(disc), EMISSION] = radiance
    line = (
        f"Light {light.name}, a spot, is a disc of radius {radius:.3g} and radiance {radiance.max():,.4g} in a black "
        "funnel; its light fades with the cosine of the angle."
    )
    return LightTriangles(light.name, local @ turn.T + light.position, material, line)


def _sun(light: FileLight) -> LightTriangles:
    """A square whose irradiance at the scene's centre, facing it, is that of the file: E = L A / (d^2 + A / pi)."""
    square = SUN_SIDE / 2 * np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], dtype=np.float64)
    turn = trimesh.geometry.align_vectors([0, 0, 1], light.direction)[:3, :3]  # type: ignore[no-untyped-call]
    triangles = square[[[0, 1, 2], [0, 2, 3]]] @ turn.T - SUN_DISTANCE * light.direction
    radiance = np.asarray(light.intensity) * (SUN_DISTANCE**2 / SUN_SIDE**2 + 1 / np.pi)
    line = (
        f"Light {light.name}, a sun, is a square of side {SUN_SIDE:g} and radiance {radiance.max():,.4g} at distance "
        f"{SUN_DISTANCE:g}; its light is not quite parallel."
    )
    return LightTriangles(light.name, triangles, _rows(2, radiance), line)


def _rows(count: int, radiance: Floats) -> Floats:
    rows = np.zeros((count, COLUMNS))
    rows[:, ROUGHNESS], rows[:, NORMAL], rows[:, EMISSION] = 1.0, FLAT_NORMAL, radiance
    return rows


def mean_irradiance(
    triangles: Floats, lights: Sequence[FileLight], emitters: Floats, radiance: Floats, samples: int = 2048
) -> float:
    """Irradiance without shadows of whichever side faces a light, mean over the area of triangles [N, 3, 3].

    Emitting triangles [K, 3, 3] of radiance [K, 3] count as points at their centres.
    """
    area = triangle_areas(triangles)
    chosen = np.unique(np.searchsorted(np.cumsum(area), (np.arange(samples) + 0.5) / samples * area.sum()))
    points, normals, area = triangles[chosen].mean(axis=1), face_normals(triangles[chosen]), area[chosen]
    total = np.zeros(len(points))
    for light in lights:
        if light.kind == "sun":
            total += np.mean(light.intensity) * np.abs(normals @ light.direction)
        else:
            step = light.position - points
            squared = np.maximum((step**2).sum(axis=1), MIN_RADIUS**2)
            total += np.mean(light.intensity) * np.abs((step * normals).sum(axis=1)) / squared**1.5
    size = triangle_areas(emitters)
    for centre, normal, power, near in zip(
        emitters.mean(axis=1), face_normals(emitters), radiance.mean(axis=1) * size, size / np.pi, strict=True
    ):
        step = centre - points
        squared = np.maximum((step**2).sum(axis=1), near)
        total += power * np.abs(step @ normal) * np.abs((step * normals).sum(axis=1)) / squared**2
    return float((total * area).sum() / max(float(area.sum()), 1e-300))
