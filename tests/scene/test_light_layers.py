import numpy as np
import pytest

from rfcli.scene import DIFFUSE, EMISSION
from rfcli.scene.light_layers import one_light_each
from rfcli.truth import PathTracer
from tests.support.surfaces import camera, material, quad, scene


def two_lights() -> object:
    """A grey floor with a red light at its left and a blue one at its right."""
    floor = quad((0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), material(2, (0.6,) * 3, 0.2, 0.7))
    red = quad((-0.4, 0, 0.5), (0.1, 0, 0), (0, -0.1, 0), material(2, (1.0,) * 3, emission=(9.0, 1.0, 0.5)))
    blue = quad((0.4, 0, 0.5), (0.1, 0, 0), (0, -0.1, 0), material(2, (1.0,) * 3, emission=(0.5, 1.0, 9.0)))
    return scene([floor, red, blue], [camera((0, -1.4, 0.9), (0, 0, 0.1))], 50.0)


def test_each_light_is_on_once_and_the_others_are_black() -> None:
    whole = two_lights()
    layers = one_light_each(whole)
    assert len(layers) == 2
    assert sum(layer.material[:, EMISSION] for layer in layers) == pytest.approx(whole.material[:, EMISSION])
    for layer in layers:
        assert (layer.triangles == whole.triangles).all()
        off = whole.emitters & ~layer.emitters
        assert off.sum() == 2
        assert (layer.material[off, DIFFUSE] == 0).all()
        assert (layer.material[~whole.emitters] == whole.material[~whole.emitters]).all()


def test_their_images_add_up_to_the_scenes() -> None:
    whole = two_lights()
    tracer = PathTracer(512, denoise=False)
    image = tracer.render(whole, 16)
    layers = [tracer.render(layer, 16) for layer in one_light_each(whole)]
    assert layers[0].mean(axis=(0, 1, 2))[0] > 3 * layers[1].mean(axis=(0, 1, 2))[0] or (
        layers[1].mean(axis=(0, 1, 2))[0] > 3 * layers[0].mean(axis=(0, 1, 2))[0]
    )
    assert sum(layers).mean(axis=(0, 1, 2)) == pytest.approx(image.mean(axis=(0, 1, 2)), rel=0.01)
    assert np.median(np.abs(sum(layers) - image) / (image + 0.01)) < 0.05


def test_a_scene_with_one_light_is_its_own_layer() -> None:
    (lone,) = one_light_each(one_light_each(two_lights())[0])
    assert (lone.material == one_light_each(two_lights())[0].material).all()
