import numpy as np
import pytest

from rfcli.synth.shapes.drawing import extruded, outline, stroke
from rfcli.synth.shapes.text import STROKES


def test_area_of_a_stroke_and_volume_of_its_solid() -> None:
    pen = stroke(np.array([(0.0, 0.0), (2.0, 0.0)]), 0.4, segments=64)
    area = 2 * 0.4 + np.pi * 0.2**2
    assert pen.area() == pytest.approx(area, rel=0.01)
    mesh = extruded(pen, 0.5, 300)
    assert len(mesh.faces) <= 300
    assert abs(mesh.volume) == pytest.approx(0.5 * area, rel=0.03)
    assert mesh.extents == pytest.approx((2.4, 0.5, 0.4), rel=0.02)  # upright: the y axis of the drawing points up


def test_area_of_an_outline() -> None:
    square = outline(np.array([2.0, 2.0, 2.0, 2.0]))
    assert square.area() == pytest.approx(8.0)


def test_characters_stay_in_their_grid() -> None:
    for lines in STROKES.values():
        for line in lines.split():
            assert len(line) % 2 == 0
            assert len(line) >= 4
            assert set(line[::2]) <= set("01234")
            assert set(line[1::2]) <= set("0123456")
