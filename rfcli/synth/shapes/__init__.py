"""Procedural shape families: each is a continuous function of its random numbers, fitted to a budget of faces."""

from collections.abc import Callable

import numpy as np
import trimesh

from rfcli.synth.shapes import parts, solids, sphere_like, swept

Family = Callable[[np.random.Generator, int], trimesh.Trimesh]

FAMILIES: dict[str, Family] = {
    "box": parts.box,
    "table": parts.table,
    "chair": parts.chair,
    "stairs": parts.stairs,
    "arch": parts.arch,
    "ellipsoid": sphere_like.ellipsoid,
    "superquadric": sphere_like.superquadric,
    "supershape": sphere_like.supershape,
    "rock": sphere_like.rock,
    "cylinder": swept.cylinder,
    "cone": swept.cone,
    "vase": swept.vase,
    "torus": swept.torus,
    "knot": swept.knot,
    "extrusion": swept.extrusion,
    "boolean": solids.boolean,
    "metaball": solids.metaball,
}
SMALLEST = {
    "table": 60,
    "chair": 72,
    "stairs": 60,
    "arch": 36,
    "knot": 240,
    "torus": 80,
    "vase": 120,
    "extrusion": 80,
    "boolean": 100,
    "metaball": 80,
}


def random_shape(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A shape of at most `faces` faces (at least 20), longest side 1, centred on the origin, normals outwards."""
    names = [name for name in FAMILIES if SMALLEST.get(name, 20) <= faces]
    return make(names[rng.integers(len(names))], rng, faces)


def make(name: str, rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """The named family's shape, centred on the origin with longest side 1."""
    mesh = FAMILIES[name](rng, faces)
    if mesh.volume < 0:
        mesh.invert()
    low, high = mesh.bounds
    mesh.apply_translation(-(low + high) / 2)
    mesh.apply_scale(1 / (high - low).max())
    return mesh
