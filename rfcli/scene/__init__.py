"""Scenes: the official JSON schema, meshes, `TriangleScene`, and HDF5 files.

Importing this package does not import numpy; each name below is imported on first use.
"""

from typing import TYPE_CHECKING

from rfcli.runtime.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from rfcli.scene.backdrop import PlacedFile, Up
    from rfcli.scene.formats.place import place_file
    from rfcli.scene.inventory import Inventory, scene_inventory
    from rfcli.scene.storage import load, save
    from rfcli.scene.triangle_scene import (
        DIFFUSE,
        EMISSION,
        FLAT_NORMAL,
        NORMAL,
        ROUGHNESS,
        SPECULAR,
        TriangleScene,
        light_indices,
        split_lights,
    )
    from rfcli.scene.warnings import scene_warnings

__all__ = [
    "DIFFUSE",
    "EMISSION",
    "FLAT_NORMAL",
    "HDF5_SUFFIXES",
    "MESH_SUFFIXES",
    "NORMAL",
    "ROUGHNESS",
    "SCENE_SUFFIXES",
    "SPECULAR",
    "Inventory",
    "PlacedFile",
    "TriangleScene",
    "Up",
    "light_indices",
    "load",
    "place_file",
    "save",
    "scene_inventory",
    "scene_warnings",
    "split_lights",
]

HDF5_SUFFIXES = (".h5", ".hdf5")
SCENE_SUFFIXES = (".json", *HDF5_SUFFIXES)
MESH_SUFFIXES = (".obj", ".ply", ".glb", ".gltf", ".stl", ".off")

_MODULES = {
    **dict.fromkeys(("PlacedFile", "Up"), "backdrop"),
    "place_file": "formats.place",
    **dict.fromkeys(("Inventory", "scene_inventory"), "inventory"),
    **dict.fromkeys(("load", "save"), "storage"),
    **dict.fromkeys(("DIFFUSE", "EMISSION", "FLAT_NORMAL", "NORMAL", "ROUGHNESS", "SPECULAR"), "triangle_scene"),
    **dict.fromkeys(("TriangleScene", "light_indices", "split_lights"), "triangle_scene"),
    "scene_warnings": "warnings",
}


__getattr__ = lazy_attributes(__name__, _MODULES)
