"""The nine official example scenes against the output of the official converter."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from rfcli.scene import TriangleScene, load
from rfcli.scene.mesh import read_mesh

FOLDER = Path(os.environ.get("RF_OFFICIAL_SCENES", Path(__file__).parents[3] / "shared" / "scenes"))
NAMES = [
    "cbox",
    "cbox-bunny",
    "cbox-teapot",
    "compose-scene",
    "constant-width",
    "crystals",
    "fox-in-the-wild",
    "horse-and-heart",
    "init-template",
]
pytestmark = pytest.mark.skipif(
    not (FOLDER / "expected").is_dir(), reason="no official scenes; set RF_OFFICIAL_SCENES to their folder"
)


def same_triangles(scene: TriangleScene, expected: np.ndarray) -> np.ndarray:
    """Index of each expected triangle in the scene; fails if the mapping is not one to one.

    The official converter orders the faces of a smoothing group by an unstable sort, whose result depends on the
    processor (AVX2 there), so only the order of whole groups can be compared.
    """
    _, index = cKDTree(scene.triangles.reshape(-1, 9)).query(expected.reshape(-1, 9))
    assert len(np.unique(index)) == len(scene) == len(expected)
    return index


@pytest.mark.parametrize("name", NAMES)
def test_same_triangles_normals_materials_and_cameras(name: str) -> None:
    scene = load(FOLDER / f"{name}.json")
    expected = np.load(FOLDER / "expected" / f"{name}.npz")
    index = same_triangles(scene, expected["triangles"])
    np.testing.assert_allclose(scene.triangles[index], expected["triangles"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(scene.vn[index], expected["vn"], rtol=0, atol=2e-5)
    np.testing.assert_array_equal(scene.material[index], expected["tex"])
    np.testing.assert_allclose(scene.c2w, expected["c2w"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(scene.fov, expected["fov"])


@pytest.mark.parametrize("name", NAMES)
def test_same_order_where_the_official_order_is_defined(name: str) -> None:
    """Objects are in order; flat objects, single groups up to 256 faces and lights keep the order of their faces."""
    scene = load(FOLDER / f"{name}.json")
    expected = np.load(FOLDER / "expected" / f"{name}.npz")
    index = same_triangles(scene, expected["triangles"])
    objects = json.loads((FOLDER / f"{name}.json").read_text())["objects"].values()
    start = 0
    for part in objects:
        faces = len(read_mesh(FOLDER / part["mesh_path"]).faces)
        found = index[start : start + faces]
        assert set(found) == set(range(start, start + faces))
        if faces <= 256 or not part["material"]["smooth_shading"]:
            np.testing.assert_array_equal(found, np.arange(start, start + faces))
        start += faces
    assert start == len(scene)
