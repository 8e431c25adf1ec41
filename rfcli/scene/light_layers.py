"""A scene with one of its lights on at a time. Light is additive: the images of all of them add up to the scene's."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rfcli.scene.triangle_scene import DIFFUSE, EMISSION, SPECULAR, TriangleScene


def one_light_each(scene: TriangleScene) -> list[TriangleScene]:
    """The scene once for each light, in the order of the lights' radiances: emitters that emit alike are one light.

    The others stay where they are and reflect nothing, as an emitter does.
    """
    lights = light_of_each(scene.material)
    layers = []
    for light in range(lights.max() + 1):
        dark = (lights >= 0) & (lights != light)
        material = scene.material.copy()
        for column in (DIFFUSE, SPECULAR, EMISSION):
            material[dark, column] = 0.0
        layers.append(replace(scene, material=material))
    return layers


def light_of_each(material: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """[N] which of the lights of `one_light_each` each triangle belongs to, -1 for none. material [N, 13]."""
    emitters = (material[:, EMISSION] > 0).any(axis=1)
    lights = np.full(len(material), -1)
    if emitters.any():
        lights[emitters] = np.unique(material[emitters, EMISSION], axis=0, return_inverse=True)[1].reshape(-1)
    return lights
