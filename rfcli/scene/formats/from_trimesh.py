"""Meshes and scenes of trimesh as contents of a file: geometry, colours, materials and textures."""

from typing import Any, Literal

import numpy as np
import trimesh
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from rfcli.errors import InputError
from rfcli.scene.formats.colours import linear_rgba
from rfcli.scene.formats.contents import Colour, Contents, Material, Part, Texture
from rfcli.scene.formats.upright import Axis

MODES: dict[str | None, Literal["opaque", "mask", "blend"]] = {"MASK": "mask", "BLEND": "blend"}


def contents_of(source: trimesh.Trimesh | trimesh.Scene, up: Axis) -> Contents:
    """The meshes of a source with their instances placed; its cameras and lights are not used.

    Raises InputError if it has no faces, or is neither a mesh nor a scene.
    """
    if isinstance(source, trimesh.Trimesh):
        meshes = [("mesh", source)]
    elif isinstance(source, trimesh.Scene):
        meshes = []
        for node in source.graph.nodes_geometry:
            transform, name = source.graph[node]
            geometry = source.geometry[name]
            if isinstance(geometry, trimesh.Trimesh):
                placed = geometry.copy()
                placed.apply_transform(transform)
                meshes.append((str(node), placed))
    else:
        raise InputError(f"`source` is a {type(source).__name__}; give a trimesh.Trimesh or a trimesh.Scene.")
    parts = [_part(name, mesh) for name, mesh in meshes if len(mesh.faces)]
    if not parts:
        raise InputError("`source` has no faces; add a mesh.")
    return Contents(parts, up)


def _part(name: str, mesh: trimesh.Trimesh) -> Part:
    visual: Any = mesh.visual
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    normals = np.asarray(mesh.vertex_normals) if "vertex_normals" in mesh._cache else None
    if isinstance(visual, TextureVisuals):
        uv = None if visual.uv is None or len(visual.uv) != len(vertices) else np.array(visual.uv, np.float64)
        if uv is not None:
            uv[:, 1] = 1 - uv[:, 1]  # trimesh has v upwards
        return Part(name, vertices, faces, normals, uv=uv, material=_material(visual.material, uv is not None))
    if isinstance(visual, ColorVisuals) and visual.kind == "vertex":
        return Part(name, vertices, faces, normals, colours=linear_rgba(np.asarray(visual.vertex_colors) / 255))
    if isinstance(visual, ColorVisuals) and visual.kind == "face":
        return Part(name, vertices, faces, normals, face_colours=linear_rgba(np.asarray(visual.face_colors) / 255))
    return Part(name, vertices, faces, normals)


def _material(source: Any, textured: bool) -> Material:
    """A PBRMaterial, whose factors are linear, or a SimpleMaterial, whose diffuse colour is sRGB."""
    if not isinstance(source, PBRMaterial):
        diffuse = linear_rgba(np.asarray(source.diffuse, np.float64)[None, :3] / 255)[0]
        texture = _texture(source.image) if textured else None
        colour = (1.0, 1.0, 1.0) if texture is not None else _colour(diffuse)
        return Material(name=str(source.name), base_colour=colour, base_texture=texture)
    base = np.ones(4) if source.baseColorFactor is None else np.asarray(source.baseColorFactor, np.float64) / 255
    emission = _colour(np.zeros(3) if source.emissiveFactor is None else np.asarray(source.emissiveFactor))
    return Material(
        name=str(source.name),
        base_colour=_colour(base),
        opacity=float(base[3]) if len(base) > 3 else 1.0,
        metallic=1.0 if source.metallicFactor is None else float(source.metallicFactor),
        roughness=1.0 if source.roughnessFactor is None else float(source.roughnessFactor),
        emission=emission,
        base_texture=_texture(source.baseColorTexture) if textured else None,
        metallic_texture=_texture(source.metallicRoughnessTexture) if textured else None,
        emission_texture=_texture(source.emissiveTexture) if textured else None,
        alpha_mode=MODES.get(source.alphaMode, "opaque"),
        alpha_cutoff=0.5 if source.alphaCutoff is None else float(source.alphaCutoff),
    )


def _texture(image: Any) -> Texture | None:
    return None if image is None else Texture(np.asarray(image.convert("RGBA")))


def _colour(values: Any) -> Colour:
    red, green, blue = (float(value) for value in values[:3])
    return red, green, blue
