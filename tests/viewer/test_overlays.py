"""What is drawn over the picture."""

import numpy as np

from rfcli.viewer.overlays import edges


def test_every_edge_occurs_once() -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 3, (30, 3, 3)).astype(np.float32)  # many shared edges, in either direction
    found = edges(corners)
    expected = {frozenset({tuple(triangle[i]), tuple(triangle[(i + 1) % 3])}) for triangle in corners for i in range(3)}
    assert {frozenset({tuple(a), tuple(b)}) for a, b in found} == expected
    assert len(found) == len(expected)


def test_two_triangles_of_a_square_have_five_edges() -> None:
    square = np.array([[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]]], dtype=np.float32)
    assert edges(square).shape == (5, 2, 3)
