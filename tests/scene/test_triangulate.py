"""Arrays of scenes with one mesh, in closed form."""

import numpy as np
import pytest

from rfcli.scene import DIFFUSE, load
from tests.scene.conftest import TRIANGLE, description

STRIP = "".join(f"v {i} 0 0\nv {i} 1 0\n" for i in range(6)) + "".join(
    f"f {2 * i + 1} {2 * i + 3} {2 * i + 4}\nf {2 * i + 1} {2 * i + 4} {2 * i + 2}\n" for i in range(5)
)
TWO_PARTS = "".join(f"v {x} 0 {z}\nv {x} 1 {z}\n" for z in (0, 3) for x in (0, 1)) + (
    "f 1 3 4\nf 1 4 2\nf 5 7 8\nf 5 8 6\n"
)


def test_arrays_of_one_triangle(write_scene) -> None:
    scene = load(write_scene(description(emissive=[1000.3, 0, 2])))
    np.testing.assert_array_equal(scene.triangles, [[[0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    np.testing.assert_array_equal(scene.vn, [[[0, 0, 1]] * 3])
    # diffuse in steps of 1/255, rounded down; everything in half precision, whose step at 1000 is 1/2
    half = np.float16([51 / 255, 102 / 255, 153 / 255, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 1, 1000.5, 0, 2])
    np.testing.assert_array_equal(scene.material, [half.astype(np.float32)])
    np.testing.assert_array_equal(scene.fov, [40])
    np.testing.assert_array_equal(scene.emitters, [True])
    assert all(getattr(scene, name).dtype == np.float32 for name in ("triangles", "vn", "material", "c2w", "fov"))


def test_diffuse_is_rounded_down_to_256_steps(write_scene) -> None:
    scene = load(write_scene(description(diffuse=[0.3, 0.999, 1.0])))
    np.testing.assert_allclose(scene.material[0, DIFFUSE], np.float16([76 / 255, 254 / 255, 1]))


def test_objects_are_in_file_order(write_scene) -> None:
    scene = description()
    part = scene["objects"].pop("part")
    for name, height in (("zebra", 1.0), ("ant", 2.0), ("moth", 0.0)):
        transform = {**part["transform"], "translation": [0.0, 0.0, height]}
        scene["objects"][name] = {**part, "transform": transform}
    np.testing.assert_array_equal(load(write_scene(scene)).triangles[:, 0, 2], [1, 2, 0])


def test_mirrored_scale_flips_the_faces(write_scene) -> None:
    scene = description()
    scene["objects"]["part"]["transform"]["scale"] = [-1.0, 1.0, 1.0]
    loaded = load(write_scene(scene))
    edges = loaded.triangles[0, 1:] - loaded.triangles[0, 0]
    np.testing.assert_allclose(np.cross(*edges), loaded.vn[0, 0])


@pytest.mark.parametrize("smooth", [False, True])
def test_random_diffuse_per_triangle_takes_three_numbers_per_face(write_scene, smooth: bool) -> None:
    options = {"rand_tri_diffuse_seed": 7, "random_diffuse_max": 0.4, "random_diffuse_type": "per-triangle"}
    scene = load(write_scene(description(smooth_shading=smooth, **options), STRIP))
    draws = np.random.RandomState(7).randint(0, 103, (10, 3))  # ceil(256 * 0.4) = 103
    np.testing.assert_array_equal(scene.material[:, DIFFUSE], np.float16(draws / 255).astype(np.float32))


SLICES = 24
CONE = (
    "v 0 0 0.3\n"
    + "".join(f"v {np.cos(angle)} {np.sin(angle)} 0\n" for angle in np.linspace(0, 2 * np.pi, SLICES + 1)[:-1])
    + "".join(f"f 1 {i + 2} {(i + 1) % SLICES + 2}\n" for i in range(SLICES))
)


@pytest.mark.parametrize(
    ("options", "flat"),
    [
        ({}, False),
        ({"rand_tri_diffuse_seed": 7, "random_diffuse_type": "per-shading-group"}, False),
        ({"random_diffuse_type": "per-triangle"}, False),  # has no effect without a seed
        ({"rand_tri_diffuse_seed": 7, "random_diffuse_type": "per-triangle"}, True),
    ],
)
def test_triangles_with_random_colours_are_flat(write_scene, options: dict[str, object], flat: bool) -> None:
    """Slices of a shallow cone, which are smoothed together otherwise."""
    scene = load(write_scene(description(smooth_shading=True, **options), CONE))
    edges = scene.triangles[:, 1:] - scene.triangles[:, :1]
    faces = np.cross(edges[:, 0], edges[:, 1])
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    assert np.allclose(scene.vn, faces[:, None], atol=1e-6) == flat


def test_random_diffuse_per_shading_group_takes_three_numbers_per_group(write_scene) -> None:
    options = {"rand_tri_diffuse_seed": 42, "random_diffuse_type": "per-shading-group", "smooth_shading": True}
    scene = load(write_scene(description(**options), TWO_PARTS))
    draws = np.random.RandomState(42).randint(0, 256, (2, 3))[[0, 0, 1, 1]]
    np.testing.assert_array_equal(scene.material[:, DIFFUSE], np.float16(draws / 255).astype(np.float32))


HINGE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv -1 0 0.3\nv 0 -1 0.3\nf 1 2 3\nf 1 4 5\n"


def test_coloured_groups_that_touch_in_a_point_do_not_smooth_each_other(write_scene) -> None:
    """Two triangles that share a vertex and no edge."""
    plain = load(write_scene(description(smooth_shading=True), HINGE))
    coloured = load(write_scene(description(smooth_shading=True, rand_tri_diffuse_seed=7), HINGE))
    np.testing.assert_array_equal(coloured.triangles, plain.triangles)
    second = np.array([3.0, 3.0, 10.0]) / np.sqrt(118.0)
    np.testing.assert_allclose(coloured.vn, [[[0, 0, 1]] * 3, [second] * 3], atol=1e-6)
    assert np.abs(plain.vn[:, 0] - coloured.vn[:, 0]).max() > 0.05


def test_random_diffuse_does_not_use_the_global_generator(write_scene) -> None:
    path = write_scene(description(rand_tri_diffuse_seed=7), TRIANGLE)
    np.random.seed(1)
    expected = np.random.rand()
    np.random.seed(1)
    load(path)
    assert np.random.rand() == expected
