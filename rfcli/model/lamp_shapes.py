"""How much of an emitter's light leaves its lamp: half for a closed lamp, whose inner sides light only one another.

Both sides of an emitter emit. Of a flat lamp both illuminate the scene. The network knows a triangle's emission and
size, not whether its lamp is closed or stands in a black housing, so it is given the emission times the share of the
light that leaves the lamp. Traced light needs no such factor: its shadow rays meet the lamp itself.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rfcli.model.batch import DIFFUSE, SPECULAR, SceneBatch
from rfcli.model.light_samples import connected_triangles
from rfcli.scene.geometry import face_normals, triangle_areas
from rfcli.scene.ray_casting import ray_caster

Floats = npt.NDArray[np.float64]

DIRECTIONS = 64  # of rays from each side of a triangle
MAX_ORIGINS = 256  # triangles of a lamp from which rays start
FLATNESS = 1e-4  # deviation of a flat lamp from a plane, relative to its size
BLACK = 1e-3  # diffuse plus specular colour below which a surface absorbs all light
OFFSET = 1e-4  # of rays from their triangle, relative to the size of the lamp
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def light_leaving_lamps(batch: SceneBatch) -> Tensor:
    """The share of the light of each triangle that leaves its lamp, the mean over all triangles of the lamp.

    Emitters that share vertices are one lamp. Black surfaces no farther from it than its size are its housing.

    Args:
        batch: B scenes of N triangles.

    Returns:
        [B, N] 1 for flat lamps without housing and for triangles that do not emit, 1/2 for closed lamps.
    """
    emitters, material = batch.emitters, batch.constant_material()
    black = ((material[..., DIFFUSE] + material[..., SPECULAR]) < BLACK).all(-1) & batch.mask & ~emitters
    shares = torch.ones(emitters.shape)
    scenes = zip(shares, batch.triangles.detach().cpu(), emitters.cpu(), black.cpu(), strict=True)
    for of_scene, corners, emits, absorbs in scenes:
        if bool(emits.any()):
            arrays = (corners[flags].double().numpy() for flags in (emits, absorbs))
            of_scene[emits] = torch.from_numpy(_of_lamps(*arrays))
    return shares.to(emitters.device)


def _of_lamps(corners: Floats, black: Floats) -> npt.NDArray[np.float32]:
    """[E] the shares of emitters [E, 3, 3] among black surfaces [M, 3, 3]."""
    shares = np.ones(len(corners), dtype=np.float32)
    lamps = connected_triangles(corners)
    for lamp in np.unique(lamps):
        members = lamps == lamp
        housing = _near(black, corners[members])
        if len(housing) or not _is_flat(corners[members]):
            shares[members] = _leaving(corners[members], housing)
    return shares


def _near(black: Floats, lamp: Floats) -> Floats:
    """The black triangles with a vertex no farther from the box around a lamp than its longest side."""
    low, high = lamp.reshape(-1, 3).min(0), lamp.reshape(-1, 3).max(0)
    size = (high - low).max()
    inside = ((black >= low - size) & (black <= high + size)).all(-1).any(-1)
    near: Floats = black[inside]
    return near


def _is_flat(corners: Floats) -> bool:
    """Whether all vertices of triangles [T, 3, 3] lie in the plane of the largest one."""
    largest = int(triangle_areas(corners).argmax())
    offset = corners.reshape(-1, 3) - corners[largest, 0]
    normal = face_normals(corners[largest : largest + 1])[0]
    return bool(np.abs(offset @ normal).max() <= FLATNESS * np.abs(offset).max())


def _leaving(corners: Floats, housing: Floats) -> float:
    """The share for one lamp [T, 3, 3]: of cosine-weighted rays from both sides, those that meet nothing of the two."""
    origins = corners[:: -(-len(corners) // MAX_ORIGINS)]
    area, normal = triangle_areas(origins), face_normals(origins)
    index = np.arange(DIRECTIONS)
    height = np.sqrt(1 - (index + 0.5) / DIRECTIONS)  # cosines of a hemisphere, evenly spread in their squares
    turn = GOLDEN_ANGLE * (index + DIRECTIONS * np.arange(len(origins))[:, None])
    edge = origins[:, 1] - origins[:, 0]
    x = edge / np.maximum(np.linalg.norm(edge, axis=1, keepdims=True), np.finfo(float).tiny)
    y = np.cross(normal, x)
    flat = np.cos(turn)[..., None] * x[:, None] + np.sin(turn)[..., None] * y[:, None]  # [O, D, 3]
    across = np.sqrt(1 - height**2)[:, None] * flat
    size = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    caster = ray_caster(np.concatenate([corners, housing]).astype(np.float32))
    escaped = np.zeros(len(origins))
    for side in (1.0, -1.0):
        outwards = side * normal[:, None]
        start = np.broadcast_to(origins.mean(1)[:, None] + OFFSET * size * outwards, flat.shape)
        directions = height[:, None] * outwards + across
        hits = caster.first_hits(
            np.ascontiguousarray(start.reshape(-1, 3), np.float32),
            np.ascontiguousarray(directions.reshape(-1, 3), np.float32),
        )
        escaped += (hits.triangle < 0).reshape(len(origins), DIRECTIONS).mean(1) / 2
    return float((escaped * area).sum() / max(area.sum(), np.finfo(float).tiny))
