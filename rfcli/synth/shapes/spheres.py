"""Deformed spheres, with one point in every direction: ellipsoids, superquadrics, supershapes, rocks."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points


def geodesic_sphere(faces: int) -> trimesh.Trimesh:
    """Unit sphere of 20 n^2 nearly equal faces, with the largest n >= 1 that `faces` allows."""
    n = max(1, int((faces / 20) ** 0.5))
    solid = trimesh.creation.icosahedron()
    steps = [(i, j) for i in range(n + 1) for j in range(n + 1 - i)]
    index = {step: k for k, step in enumerate(steps)}
    weights = np.array([(n - i - j, i, j) for i, j in steps]) / n
    cell = [(index[i, j], index[i + 1, j], index[i, j + 1]) for i in range(n) for j in range(n - i)]
    cell += [(index[i + 1, j], index[i + 1, j + 1], index[i, j + 1]) for i in range(n - 1) for j in range(n - 1 - i)]
    corners = solid.vertices[solid.faces]  # [20, 3, 3]
    points = np.einsum("sk,fkx->fsx", weights, corners)
    triangles = np.array(cell)[None] + len(steps) * np.arange(20)[:, None, None]
    points = points.reshape(-1, 3) / np.linalg.norm(points.reshape(-1, 3), axis=1, keepdims=True)
    mesh = trimesh.Trimesh(points, triangles.reshape(-1, 3), process=False)
    mesh.merge_vertices(digits_vertex=7)
    return mesh


def ellipsoid(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """An ellipsoid; a third are balls."""
    sphere = geodesic_sphere(faces)
    axes = np.ones(3) if rng.random() < 1 / 3 else rng.uniform(0.4, 1.0, 3)
    return _with_vertices(sphere, sphere.vertices * axes)


def superquadric(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Superellipsoid (Barr 1981) with exponents 0.2 (box) to 1.8 (spindle), axes 0.5 to 1."""
    sphere = geodesic_sphere(faces)
    east, north = rng.uniform(0.2, 1.8, 2)
    longitude, latitude = _longitude_latitude(sphere.vertices)
    points = np.stack(
        [
            _signed_power(np.cos(latitude), north) * _signed_power(np.cos(longitude), east),
            _signed_power(np.cos(latitude), north) * _signed_power(np.sin(longitude), east),
            _signed_power(np.sin(latitude), north),
        ],
        axis=1,
    )
    return _with_vertices(sphere, points * rng.uniform(0.5, 1.0, 3))


def supershape(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Spherical product of two superformula curves (Gielis 2003)."""
    sphere = geodesic_sphere(faces)
    longitude, latitude = _longitude_latitude(sphere.vertices)
    around = superformula(longitude, int(rng.integers(2, 8)), *rng.uniform(0.6, 3.0, 3))
    upward = superformula(latitude, 2 * int(rng.integers(1, 4)), *rng.uniform(0.8, 3.0, 3))
    flat = around * upward * np.cos(latitude)
    points = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), upward * np.sin(latitude)], axis=1)
    return _with_vertices(sphere, points)


def rock(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A sphere displaced by ridged waves of decreasing amplitude, then scaled along each axis."""
    sphere = geodesic_sphere(faces)
    radius = np.ones(len(sphere.vertices))
    for octave in range(4):
        waves = rng.normal(size=(5, 3)) * 1.3 * 1.8**octave
        phases = rng.uniform(0, 2 * np.pi, 5)
        ridges = np.abs(np.sin(sphere.vertices @ waves.T + phases)).mean(axis=1)
        radius += rng.uniform(0.4, 0.8) * 0.5**octave * (ridges - 0.64)
    return _with_vertices(sphere, sphere.vertices * radius[:, None] * rng.uniform(0.6, 1.0, 3))


def _with_vertices(sphere: trimesh.Trimesh, points: Points) -> trimesh.Trimesh:
    """The faces of the sphere with other vertices [V, 3]."""
    return trimesh.Trimesh(points, sphere.faces, process=False)


def _longitude_latitude(directions: Points) -> tuple[Points, Points]:
    """Longitude and latitude [V] of unit directions [V, 3], radians."""
    return np.arctan2(directions[:, 1], directions[:, 0]), np.arcsin(np.clip(directions[:, 2], -1.0, 1.0))


def _signed_power(x: Points, exponent: float) -> Points:
    """Signed power: sign(x) |x|^exponent."""
    result: Points = np.sign(x) * np.abs(x) ** exponent
    return result


def superformula(angle: Points, m: int, n1: float, n2: float, n3: float) -> Points:
    """Radius (|cos(m t / 4)|^n2 + |sin(m t / 4)|^n3)^(-1/n1), clipped to 0.4..1.6 (Gielis 2003)."""
    sum_ = np.abs(np.cos(m * angle / 4)) ** n2 + np.abs(np.sin(m * angle / 4)) ** n3
    radius: Points = np.clip(sum_ ** (-1 / n1), 0.4, 1.6)
    return radius
