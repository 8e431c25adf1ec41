"""Separation of a scene by light; a path tracer shows that the images of the lights add up."""

import numpy as np
import pytest

from rfcli.scene import DIFFUSE, EMISSION, TriangleScene, light_indices, split_lights
from rfcli.truth import PathTracer
from tests.support.surfaces import camera, material, quad, scene


def two_lights() -> TriangleScene:
    """A grey floor with a red light on the left and a blue one on the right."""
    floor = quad((0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), material(2, (0.6,) * 3, 0.2, 0.7))
    red = quad((-0.4, 0, 0.5), (0.1, 0, 0), (0, -0.1, 0), material(2, (1.0,) * 3, emission=(9.0, 1.0, 0.5)))
    blue = quad((0.4, 0, 0.5), (0.1, 0, 0), (0, -0.1, 0), material(2, (1.0,) * 3, emission=(0.5, 1.0, 9.0)))
    return scene([floor, red, blue], [camera((0, -1.4, 0.9), (0, 0, 0.1))], 50.0)


def test_each_light_is_on_in_one_layer_and_black_in_the_others() -> None:
    whole = two_lights()
    layers = split_lights(whole)
    assert len(layers) == 2
    assert sum(layer.material[:, EMISSION] for layer in layers) == pytest.approx(whole.material[:, EMISSION])
    for layer in layers:
        assert (layer.triangles == whole.triangles).all()
        off = whole.emitters & ~layer.emitters
        assert off.sum() == 2
        assert (layer.material[off, DIFFUSE] == 0).all()
        assert (layer.material[~whole.emitters] == whole.material[~whole.emitters]).all()


def test_images_of_the_layers_sum_to_the_image_of_the_scene() -> None:
    whole = two_lights()
    tracer = PathTracer(512, denoise=False)
    image = tracer.render(whole, 16)
    layers = [tracer.render(layer, 16) for layer in split_lights(whole)]
    assert layers[0].mean(axis=(0, 1, 2))[0] > 3 * layers[1].mean(axis=(0, 1, 2))[0] or (
        layers[1].mean(axis=(0, 1, 2))[0] > 3 * layers[0].mean(axis=(0, 1, 2))[0]
    )
    assert sum(layers).mean(axis=(0, 1, 2)) == pytest.approx(image.mean(axis=(0, 1, 2)), rel=0.01)
    assert np.median(np.abs(sum(layers) - image) / (image + 0.01)) < 0.05


def test_scene_with_one_light_is_its_only_layer() -> None:
    (lone,) = split_lights(split_lights(two_lights())[0])
    assert (lone.material == split_lights(two_lights())[0].material).all()


def test_light_indices_follow_the_order_of_the_layers() -> None:
    whole = two_lights()
    indices = light_indices(whole.material)
    for index, layer in enumerate(split_lights(whole)):
        assert (layer.emitters == (indices == index)).all()
    assert (indices[~whole.emitters] == -1).all()
