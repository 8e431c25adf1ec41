"""A reference path integrator without light sampling, acceleration structure or Russian roulette."""

import numpy as np
import numpy.typing as npt

from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR, TriangleScene
from rfcli.scene.ggx_energy import lost_to_multiple_scattering

Array = npt.NDArray[np.float64]


def render(
    scene: TriangleScene, resolution: int, paths: int, bounces: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The first view [R, R, 3] with `paths` paths per pixel, and the standard error of each value."""
    samples = np.stack([radiance(scene, *camera_rays(scene, resolution, rng), bounces, rng) for _ in range(paths)])
    shape = (resolution, resolution, 3)
    return samples.mean(axis=0).reshape(shape), (samples.std(axis=0) / paths**0.5).reshape(shape)


def camera_rays(scene: TriangleScene, resolution: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Origins and directions [R * R, 3] of rays through a random point of each pixel, row by row from the top."""
    y, x = np.indices((resolution, resolution))
    x, y = ((axis + rng.random(axis.shape)) / resolution * 2 - 1 for axis in (x, y))
    half = np.tan(np.radians(float(scene.fov[0])) / 2)
    local = np.stack([half * x, -half * y, -np.ones_like(x)], axis=-1).reshape(-1, 3)
    pose = scene.c2w[0].astype(float)
    return np.tile(pose[:3, 3], (len(local), 1)), unit(local @ pose[:3, :3].T)


def radiance(scene: TriangleScene, origin: Array, ray: Array, bounces: int, rng: np.random.Generator) -> Array:
    """[P, 3] one sample of the radiance that arrives along each ray [P, 3]."""
    corners, material = scene.triangles.astype(float), scene.material.astype(float)
    normals = unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    light, weight = np.zeros_like(ray), np.ones_like(ray)
    for _ in range(bounces + 1):
        distance, triangle = hit(corners, normals, origin, ray)
        found = np.isfinite(distance)[:, None]
        row = material[triangle]
        light += found * weight * row[:, EMISSION]
        weight *= found * (row[:, EMISSION].max(axis=1) == 0)[:, None]  # lights reflect nothing
        origin = origin + np.where(found, distance[:, None], 0.0) * ray
        normal = normals[triangle] * -np.sign(np.einsum("pk,pk->p", normals[triangle], ray))[:, None]
        out = unit(normal + unit(rng.normal(size=ray.shape)))  # cosine-distributed
        weight *= np.pi * reflectance(row, normal, -ray, out)
        ray = out
    return light


def reflectance(row: Array, normal: Array, view: Array, light: Array) -> Array:
    """BSDF [P, 3]: kd / pi + ks D G / (4 cos cos'), GGX with alpha = roughness^2, and the lost energy as diffuse."""
    alpha = row[:, ROUGHNESS] ** 2
    cos_v, cos_l = (np.einsum("pk,pk->p", normal, w) for w in (view, light))
    cos_h = np.einsum("pk,pk->p", normal, unit(view + light))
    d = alpha**2 / (np.pi * (cos_h**2 * (alpha**2 - 1) + 1) ** 2)
    g = np.prod([2 / (1 + np.sqrt(1 + alpha**2 * (1 / c**2 - 1))) for c in (cos_v, cos_l)], axis=0)
    lost = lost_to_multiple_scattering(alpha.astype(np.float32))
    diffuse = row[:, DIFFUSE] + row[:, SPECULAR] * lost[:, None]
    return np.asarray(diffuse / np.pi + row[:, SPECULAR] * (d * g / (4 * cos_v * cos_l))[:, None])


def hit(corners: Array, normals: Array, origin: Array, ray: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Distance (inf for none) and index of the first triangle on each ray: plane by plane, then inside its edges."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.einsum("npk,nk->pn", corners[:, None, 0] - origin, normals) / (ray @ normals.T)
    point = origin[:, None] + t[..., None] * ray[:, None]
    inside = t > 1e-6
    for k in range(3):
        edge = corners[:, (k + 1) % 3] - corners[:, k]
        inside &= np.einsum("pnk,nk->pn", point - corners[:, k], np.cross(normals, edge)) >= 0
    t = np.where(inside, t, np.inf)
    return t.min(axis=1), t.argmin(axis=1)


def unit(vectors: Array) -> Array:
    """Length 1 along the last axis."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
