"""Scenes: the official JSON schema, meshes, cameras, `TriangleScene`, HDF5 in and out."""

from rfcli.scene.storage import load, save
from rfcli.scene.triangle_scene import DIFFUSE, EMISSION, FLAT_NORMAL, NORMAL, ROUGHNESS, SPECULAR, TriangleScene

__all__ = [
    "DIFFUSE",
    "EMISSION",
    "FLAT_NORMAL",
    "NORMAL",
    "ROUGHNESS",
    "SPECULAR",
    "TriangleScene",
    "load",
    "save",
]
