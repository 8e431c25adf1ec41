"""Random scenes on the published templates, from procedural shapes or the user's meshes."""

from rfcli.synth.candidates import Split
from rfcli.synth.own_meshes import OwnMeshes, find_meshes
from rfcli.synth.random_scene import SceneOptions, random_scene
from rfcli.synth.rendered_scenes import RenderedScenes
from rfcli.synth.shapes import FAMILIES, make_shape, random_shape

__all__ = [
    "FAMILIES",
    "OwnMeshes",
    "RenderedScenes",
    "SceneOptions",
    "Split",
    "find_meshes",
    "make_shape",
    "random_scene",
    "random_shape",
]
