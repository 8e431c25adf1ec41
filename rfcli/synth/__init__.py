"""Random scenes on the published templates, from procedural shapes."""

from rfcli.synth.options import SceneOptions
from rfcli.synth.own_meshes import OwnMeshes, find_meshes
from rfcli.synth.random_scene import random_scene
from rfcli.synth.rendered import RenderedScenes

__all__ = ["OwnMeshes", "RenderedScenes", "SceneOptions", "find_meshes", "random_scene"]
