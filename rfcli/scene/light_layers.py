"""A scene with one of its lights on at a time. Light is additive: the images of all of them add up to the scene's."""

from dataclasses import replace

import numpy as np

from rfcli.scene.triangle_scene import DIFFUSE, EMISSION, SPECULAR, TriangleScene


def one_light_each(scene: TriangleScene) -> list[TriangleScene]:
    """The scene once for each light, in the order of the lights' radiances: emitters that emit alike are one light.

    The others stay where they are and reflect nothing, as an emitter does.
    """
    emitters, radiance = scene.emitters, scene.material[:, EMISSION]
    layers = []
    for light in np.unique(radiance[emitters], axis=0):
        dark = emitters & (radiance != light).any(axis=1)
        material = scene.material.copy()
        for column in (DIFFUSE, SPECULAR, EMISSION):
            material[dark, column] = 0.0
        layers.append(replace(scene, material=material))
    return layers
