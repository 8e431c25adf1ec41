"""Procedural shape families: each is a continuous function of its random numbers, fitted to a budget of faces."""

from collections.abc import Callable

import numpy as np
import trimesh

from rfcli.synth.shapes import (
    animal,
    bird,
    boolean,
    boxes,
    extrusion,
    furniture,
    gear,
    gem,
    gyroid,
    lamp,
    lathe,
    logo,
    masonry,
    metaball,
    sheet,
    sphere_like,
    sweep,
    terrain,
    text,
    tree,
    tube,
)

Family = Callable[[np.random.Generator, int], trimesh.Trimesh]

FAMILIES: dict[str, Family] = {
    "box": boxes.box,
    "table": furniture.table,
    "chair": furniture.chair,
    "shelf": furniture.shelf,
    "lamp": lamp.lamp,
    "stairs": masonry.stairs,
    "arch": masonry.arch,
    "ellipsoid": sphere_like.ellipsoid,
    "superquadric": sphere_like.superquadric,
    "supershape": sphere_like.supershape,
    "rock": sphere_like.rock,
    "terrain": terrain.terrain,
    "gem": gem.gem,
    "cylinder": lathe.cylinder,
    "cone": lathe.cone,
    "vase": lathe.vase,
    "turned": lathe.turned,
    "torus": tube.torus,
    "knot": tube.knot,
    "spring": sweep.spring,
    "tentacle": sweep.tentacle,
    "seashell": sweep.seashell,
    "moulding": sweep.moulding,
    "tree": tree.tree,
    "extrusion": extrusion.extrusion,
    "gear": gear.gear,
    "logo": logo.logo,
    "text": text.text,
    "boolean": boolean.boolean,
    "metaball": metaball.metaball,
    "gyroid": gyroid.gyroid,
    "quadruped": animal.quadruped,
    "bird": bird.bird,
    "cloth": sheet.cloth,
    "bowl": sheet.bowl,
    "ribbon": sheet.ribbon,
}
OPEN = frozenset({"cloth", "bowl", "ribbon"})  # thin sheets with a border; all others are closed
# Faces below which a family is not what its name says; 20 where none is given.
SMALLEST = {
    "table": 60,
    "chair": 72,
    "shelf": 120,
    "lamp": 160,
    "stairs": 60,
    "arch": 36,
    "terrain": 200,
    "gem": 100,
    "knot": 240,
    "torus": 80,
    "vase": 120,
    "turned": 120,
    "spring": 240,
    "tentacle": 80,
    "seashell": 160,
    "moulding": 100,
    "tree": 240,
    "extrusion": 80,
    "gear": 300,
    "logo": 250,
    "text": 150,
    "boolean": 100,
    "metaball": 80,
    "gyroid": 400,
    "quadruped": 250,
    "bird": 250,
    "cloth": 100,
    "bowl": 60,
    "ribbon": 40,
}


def random_shape(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A shape of at most `faces` faces (at least 20), longest side 1, centred on the origin, normals outwards."""
    names = [name for name in FAMILIES if SMALLEST.get(name, 20) <= faces]
    return make(names[rng.integers(len(names))], rng, faces)


def make(name: str, rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """The named family's shape, centred on the origin with longest side 1."""
    mesh = FAMILIES[name](rng, faces)
    if name not in OPEN and mesh.volume < 0:
        mesh.invert()
    low, high = mesh.bounds
    mesh.apply_translation(-(low + high) / 2)
    mesh.apply_scale(1 / (high - low).max())
    return mesh
