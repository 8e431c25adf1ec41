"""The shape families by name, with the fewest faces that each needs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh

from rfcli.synth.shapes import (
    animals,
    boxes,
    drawing,
    extrusion,
    implicit,
    lathe,
    sheet,
    solids,
    spheres,
    text,
    tree,
    tubes,
)


@dataclass(frozen=True)
class Family:
    """A shape family.

    Attributes:
        make: Makes a mesh from random numbers and a number of faces that it must not exceed; a continuous function of
            the random numbers.
        min_faces: Below this number of faces the shape is not recognisable.
        closed: False for thin sheets, which have a border and are visible from both sides.
    """

    make: Callable[[np.random.Generator, int], trimesh.Trimesh]
    min_faces: int = 20
    closed: bool = True


# `random_shape` chooses by position: a changed order changes every scene of every seed.
FAMILIES: dict[str, Family] = {
    "box": Family(boxes.box),
    "table": Family(boxes.table, 60),
    "chair": Family(boxes.chair, 72),
    "shelf": Family(boxes.shelf, 120),
    "lamp": Family(lathe.lamp, 160),
    "stairs": Family(boxes.stairs, 60),
    "arch": Family(boxes.arch, 36),
    "ellipsoid": Family(spheres.ellipsoid),
    "superquadric": Family(spheres.superquadric),
    "supershape": Family(spheres.supershape),
    "rock": Family(spheres.rock),
    "terrain": Family(boxes.terrain, 200),
    "gem": Family(solids.gem, 100),
    "cylinder": Family(lathe.cylinder),
    "cone": Family(lathe.cone),
    "vase": Family(lathe.vase, 120),
    "turned": Family(lathe.turned, 120),
    "torus": Family(tubes.torus, 80),
    "knot": Family(tubes.knot, 240),
    "spring": Family(tubes.spring, 240),
    "tentacle": Family(tubes.tentacle, 80),
    "seashell": Family(tubes.seashell, 160),
    "moulding": Family(tubes.moulding, 100),
    "tree": Family(tree.tree, 240),
    "extrusion": Family(extrusion.extrusion, 80),
    "gear": Family(drawing.gear, 300),
    "logo": Family(drawing.logo, 250),
    "text": Family(text.text, 150),
    "boolean": Family(solids.boolean, 100),
    "metaball": Family(implicit.metaball, 80),
    "gyroid": Family(implicit.gyroid, 400),
    "quadruped": Family(animals.quadruped, 250),
    "bird": Family(animals.bird, 250),
    "cloth": Family(sheet.cloth, 100, closed=False),
    "bowl": Family(sheet.bowl, 60, closed=False),
    "ribbon": Family(sheet.ribbon, 40, closed=False),
}


def random_shape(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A shape of a random family.

    Args:
        rng: Source of the family and of its parameters.
        faces: Largest number of faces; at least 20.

    Returns:
        The mesh, as `make_shape` returns it.
    """
    names = [name for name, family in FAMILIES.items() if family.min_faces <= faces]
    return make_shape(names[rng.integers(len(names))], rng, faces)


def make_shape(name: str, rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A shape of the named family.

    Args:
        name: Key of `FAMILIES`.
        rng: Source of the shape's parameters.
        faces: Largest number of faces; at least the family's `min_faces`.

    Returns:
        Mesh with at most `faces` faces, longest side 1, bounding box centred on the origin; closed meshes have
        outward normals.
    """
    family = FAMILIES[name]
    mesh = family.make(rng, faces)
    if family.closed and mesh.volume < 0:
        mesh.invert()
    low, high = mesh.bounds
    mesh.apply_translation(-(low + high) / 2)
    mesh.apply_scale(1 / (high - low).max())
    return mesh
