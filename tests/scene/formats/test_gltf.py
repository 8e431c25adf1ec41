"""glTF 2.0: every way of storing the same geometry, and what nodes, materials, cameras and lights say."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from rfcli.errors import InputError
from rfcli.scene.formats.contents import Contents, Floats
from rfcli.scene.formats.gltf import read_gltf
from rfcli.scene.geometry import triangle_areas
from tests.support.glb_files import QUAD, QUAD_FACES, QUAD_UV, GlbFile, ball, checkerboard, quaternion, studio

CASES = Path(__file__).parents[2] / "golden" / "cases"


def triangles(contents: Contents) -> Floats:
    return np.concatenate([part.vertices[part.faces] for part in contents.parts])


def read(glb: GlbFile, folder: Path) -> Contents:
    return read_gltf(glb.write(folder / "file.glb"))


@pytest.mark.parametrize(
    ("name", "area"),
    [
        ("glb-quantised/boxes.glb", 2.278),
        ("glb-sparse/box.glb", 1.556),
        ("glb-fan-part/hut.glb", 2.300),
        ("glb-gpu-instancing/row.glb", 18 / 25),
        ("glb-materials/three.glb", 18 / 16),
    ],
)
def test_cases_have_their_area(name: str, area: float) -> None:
    corners = triangles(read_gltf(CASES / name))
    size = np.ptp(corners.reshape(-1, 3), axis=0).max()
    assert triangle_areas(corners).sum() / size**2 == pytest.approx(area, rel=1e-3)


def test_compressed_files_are_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Draco.*export without"):
        read_gltf(CASES / "glb-draco" / "box.glb")
    glb = GlbFile()
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES))
    for name, words in (("EXT_meshopt_compression", "meshopt.*export"), ("KHR_made_up", "KHR_made_up.*understood")):
        glb.document["extensionsRequired"] = [name]
        with pytest.raises(InputError, match=words):
            read(glb, tmp_path)


@pytest.mark.parametrize("code", ["i1", "u1", "i2", "u2"])
@pytest.mark.parametrize("stride", [None, 16])
def test_quantised_and_interleaved_positions(tmp_path: Path, code: str, stride: int | None) -> None:
    """Integers are fractions of their largest value; elements may be apart (byteStride)."""
    dtype = np.dtype(f"<{code}")
    largest = np.iinfo(dtype).max
    corners = np.array([(0, 0, 0), (largest, 0, 0), (0, largest, 0)], dtype)
    size = 3 * dtype.itemsize
    step = stride or -(-size // 4) * 4
    content = b"".join(row.tobytes().ljust(step, b"\xff") for row in corners)
    glb = GlbFile()
    entry = {
        "bufferView": glb.view(content, byteStride=step),
        "componentType": {"i1": 5120, "u1": 5121}.get(code, 5122),
    }
    if code == "u2":
        entry["componentType"] = 5123
    accessor = glb.add("accessors", {**entry, "count": 3, "type": "VEC3", "normalized": True})
    glb.node(mesh=glb.mesh(accessor), scale=[2, 4, 1])
    np.testing.assert_allclose(triangles(read(glb, tmp_path)), [[(0, 0, 0), (2, 0, 0), (0, 4, 0)]], atol=1e-12)


def test_sparse_accessors_replace_some_elements(tmp_path: Path) -> None:
    glb = GlbFile()
    accessor = glb.accessor(QUAD)
    places, values = np.array([2], np.uint8), np.array([(5, 6, 7)], np.float32)
    glb.document["accessors"][accessor]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": glb.view(places.tobytes()), "componentType": 5121},
        "values": {"bufferView": glb.view(values.tobytes())},
    }
    glb.node(mesh=glb.mesh(accessor, QUAD_FACES))
    (part,) = read(glb, tmp_path).parts
    np.testing.assert_array_equal(part.vertices, [QUAD[0], QUAD[1], (5, 6, 7), QUAD[3]])


@pytest.mark.parametrize("mode", [4, 5, 6])
def test_strips_and_fans_are_wound_like_lists(tmp_path: Path, mode: int) -> None:
    """A regular polygon facing +z, as a list, a strip and a fan: the same area, all fronts towards +z."""
    angle = 2 * np.pi * np.arange(9) / 9
    ring = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(9)]).astype(np.float32)
    if mode == 5:
        order = [0] + [index for k in range(1, 5) for index in (k, 9 - k)]
    else:
        order = list(range(9)) if mode == 6 else [i for k in range(1, 8) for i in (0, k, k + 1)]
    glb = GlbFile()
    glb.node(mesh=glb.mesh(ring, np.array(order, np.uint16), mode=mode))
    corners = triangles(read(glb, tmp_path))
    signed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    assert (signed > 0).all()
    assert signed.sum() == pytest.approx(9 / 2 * np.sin(2 * np.pi / 9), rel=1e-6)


def test_nodes_instances_and_mirrors_agree_with_trimesh(tmp_path: Path) -> None:
    """Nested nodes by matrix and by parts, a mesh used twice, and a mirror image, which stays right side out."""
    glb = GlbFile()
    solid = glb.mesh(**ball(subdivisions=1))
    parent = glb.node(translation=[1, 2, 3], rotation=quaternion((1, 2, 3), 40), scale=[1, 2, 0.5], children=[])
    matrix = np.array([(0, -1, 0, 4), (1, 0, 0, 5), (0, 0, 1, 6), (0, 0, 0, 1)], float)
    for fields in ({"matrix": matrix.T.ravel().tolist()}, {"scale": [-1, 1, 1], "translation": [0, 0, 9]}):
        glb.document["nodes"][parent]["children"].append(glb.node(root=False, mesh=solid, **fields))
    path = glb.write(tmp_path / "file.glb")
    contents = read_gltf(path)
    expected = trimesh.load(path, force="mesh", process=False)
    corners = triangles(contents)
    unordered = [np.sort(np.round(found, 4).reshape(-1, 9), axis=1) for found in (corners, expected.triangles)]
    for found in unordered:
        found[:] = found[np.lexsort(found.T)]
    np.testing.assert_allclose(*unordered, atol=2e-4)
    for part in contents.parts:
        one = part.vertices[part.faces] - part.vertices.mean(axis=0)
        assert np.linalg.det(one).sum() > 0
        assert part.normals is not None
        outward = np.einsum("mk,mk->m", part.normals, part.vertices - part.vertices.mean(axis=0))
        assert (outward > 0).all()


def test_instances_of_the_gpu_extension(tmp_path: Path) -> None:
    glb = GlbFile()
    moves = np.array([(0, 0, 0), (3, 0, 0)], np.float32)
    turns = np.array([quaternion((0, 0, 1), 0), quaternion((0, 0, 1), 90)], np.float32)
    scales = np.array([(1, 1, 1), (2, 1, 1)], np.float32)
    attributes = {
        "TRANSLATION": glb.accessor(moves),
        "ROTATION": glb.accessor(turns),
        "SCALE": glb.accessor(scales),
    }
    extension = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES), extensions=extension, translation=[0, 0, 1])
    first, second = read(glb, tmp_path).parts
    np.testing.assert_allclose(first.vertices, np.add(QUAD, (0, 0, 1)))
    wide = QUAD * (2, 1, 1)
    np.testing.assert_allclose(second.vertices, np.stack([3 - wide[:, 1], wide[:, 0], wide[:, 2] + 1], 1), atol=1e-6)


def test_scenes_are_optional_and_so_are_nodes(tmp_path: Path) -> None:
    glb = GlbFile()
    mesh = glb.mesh(QUAD, QUAD_FACES)
    child = glb.node(root=False, mesh=mesh)
    glb.node(root=False, children=[child], translation=[1, 0, 0])
    del glb.document["scenes"], glb.document["scene"]
    np.testing.assert_allclose(read(glb, tmp_path).parts[0].vertices, np.add(QUAD, (1, 0, 0)))
    del glb.document["nodes"]
    np.testing.assert_allclose(read(glb, tmp_path).parts[0].vertices, QUAD)


def test_skins_and_morph_targets_are_in_the_pose_of_the_file(tmp_path: Path) -> None:
    """A joint at (0, 2, 0), bound at 0, lifts the vertices; the node of the mesh does not move them."""
    glb = GlbFile()
    joint = glb.node(translation=[0, 2, 0])
    bind = glb.accessor(np.tile(np.eye(4, dtype=np.float32).ravel(), (1, 1)))
    skin = glb.add("skins", {"joints": [joint], "inverseBindMatrices": bind})
    weights, joints = np.tile(np.array([1, 0, 0, 0], np.float32), (4, 1)), np.zeros((4, 4), np.uint8)
    mesh = glb.mesh(QUAD, QUAD_FACES, JOINTS_0=joints, WEIGHTS_0=weights)
    glb.node(mesh=mesh, skin=skin, translation=[100, 0, 0])
    np.testing.assert_allclose(read(glb, tmp_path).parts[0].vertices, np.add(QUAD, (0, 2, 0)))
    plain = GlbFile()
    mesh = plain.mesh(QUAD, QUAD_FACES)
    target = {"POSITION": plain.accessor(np.tile(np.array([0, 0, 3], np.float32), (4, 1)))}
    plain.document["meshes"][mesh]["primitives"][0]["targets"] = [target]
    plain.node(mesh=mesh, weights=[0.5])
    np.testing.assert_allclose(read(plain, tmp_path).parts[0].vertices, np.add(QUAD, (0, 0, 1.5)))


def test_gltf_with_a_data_uri_and_with_a_file_beside_it(tmp_path: Path) -> None:
    glb = GlbFile()
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES))
    content = bytes(glb.binary)
    uri = "data:application/octet-stream;base64," + base64.b64encode(content).decode()
    (tmp_path / "a b.bin").write_bytes(content)
    for address in (uri, "a%20b.bin"):
        document = {**glb.document, "buffers": [{"byteLength": len(content), "uri": address}]}
        (tmp_path / "file.gltf").write_text(json.dumps(document))
        np.testing.assert_allclose(read_gltf(tmp_path / "file.gltf").parts[0].vertices, QUAD)


def test_materials(tmp_path: Path) -> None:
    glb = GlbFile()
    texture = {"index": glb.texture(checkerboard(2), (33071, 33648)), "texCoord": 0}
    transform = {"KHR_texture_transform": {"offset": [0.5, 0.25], "scale": [2, 3], "rotation": 0.0}}
    glb.add(
        "materials",
        {
            "name": "all",
            "pbrMetallicRoughness": {
                "baseColorFactor": [0.1, 0.2, 0.3, 0.4],
                "metallicFactor": 0.25,
                "roughnessFactor": 0.75,
                "baseColorTexture": {**texture, "extensions": transform},
            },
            "emissiveFactor": [1, 0.5, 0],
            "alphaMode": "MASK",
            "alphaCutoff": 0.3,
            "doubleSided": True,
            "normalTexture": texture,
            "extensions": {
                "KHR_materials_emissive_strength": {"emissiveStrength": 4},
                "KHR_materials_ior": {"ior": 2.0},
                "KHR_materials_specular": {"specularFactor": 0.5, "specularColorFactor": [1, 2, 20]},
                "KHR_materials_clearcoat": {"clearcoatFactor": 1},
            },
        },
    )
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)], np.uint8)
    index = glb.accessor(colours, normalized=True)
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES, material=0, TEXCOORD_0=QUAD_UV, COLOR_0=index))
    contents = read(glb, tmp_path)
    (part,) = contents.parts
    material = part.material
    assert material is not None
    assert (material.base_colour, material.opacity) == ((0.1, 0.2, 0.3), 0.4)
    assert (material.metallic, material.roughness) == (0.25, 0.75)
    np.testing.assert_allclose(material.specular, np.array([1 / 9, 2 / 9, 1.0]) * 0.5)  # ((2 - 1) / (2 + 1))^2
    assert material.emission == (4.0, 2.0, 0.0)
    assert (material.alpha_mode, material.alpha_cutoff, material.double_sided) == ("mask", 0.3, True)
    assert material.base_texture is not None
    assert material.base_texture.wrap == ("clamp", "mirror")
    np.testing.assert_allclose(material.base_texture.transform, [(2, 0, 0.5), (0, 3, 0.25)])
    assert material.base_texture.pixels[:, :, 0].tolist() == [[0, 255], [255, 0]]
    np.testing.assert_allclose(part.colours, np.column_stack([colours / 255, np.ones(4)]))
    assert any("normal maps" in note for note in contents.notes)
    assert any("clear coats" in note for note in contents.notes)


def test_cameras_and_lights_follow_their_nodes(tmp_path: Path) -> None:
    contents = read(studio(), tmp_path)
    assert [camera.name for camera in contents.cameras] == ["front", "side"]
    assert contents.cameras[0].fov_y == pytest.approx(np.degrees(0.7))
    np.testing.assert_allclose(contents.cameras[0].c2w[:3, 3], (0, 2.5, 9))
    tilt = np.radians(10)
    np.testing.assert_allclose(-contents.cameras[0].c2w[:3, 2], (0, -np.sin(tilt), -np.cos(tilt)), atol=1e-7)
    assert [(light.name, light.kind) for light in contents.lights] == [
        ("key", "point"),
        ("spot", "spot"),
        ("sun", "sun"),
    ]
    np.testing.assert_allclose(contents.lights[0].intensity, (90, 81, 72))
    assert (contents.lights[1].inner, contents.lights[1].outer) == (0.35, 0.5)
    np.testing.assert_allclose(contents.lights[2].direction, (0, -np.sin(np.pi / 3), -0.5), atol=1e-7)


def test_lights_of_blender_are_in_watts(tmp_path: Path) -> None:
    glb = studio()
    glb.document["asset"]["generator"] = "Khronos glTF Blender I/O v4.2.60"
    contents = read(glb, tmp_path)
    np.testing.assert_allclose(contents.lights[0].intensity, np.array((90, 81, 72)) / 683)
    assert any("683" in note for note in contents.notes)
