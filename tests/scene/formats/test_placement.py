"""Scenes of files in the models' range: the flux of lights, the framing of cameras, brightness, silhouettes."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

import rfcli
from rfcli.errors import InputError
from rfcli.scene import DIFFUSE, EMISSION, TriangleScene, load, place_file, save
from rfcli.scene.formats.contents import FileLight, Floats
from rfcli.scene.formats.lights import SUN_DISTANCE, light_triangles
from rfcli.scene.geometry import face_normals, intersect, triangle_areas
from rfcli.truth.raster_preview import load_pyrender
from tests.support.glb_files import QUAD, QUAD_FACES, QUAD_UV, GlbFile, checkerboard, quaternion, studio

FLOOR = np.array([[(-1.0, -1, -2), (1, -1, -2), (1, 1, -2)]])


def lamp(kind: str, intensity: float = 2.0, **fields: float) -> FileLight:
    colour = (intensity, intensity / 2, intensity / 4)
    position, direction = np.array([0.1, -0.2, 0.3]), np.array([0.0, 0.0, -1.0])
    return FileLight("lamp", kind, position, direction, colour, **fields)  # type: ignore[arg-type]


def irradiance(triangles: Floats, radiance: Floats, point: Floats, normal: Floats, cells: int = 10) -> Floats:
    """[3] on a patch at a point: L cos cos / d^2 over small parts of the emitters, hidden parts left out."""
    i, j = np.indices((cells, cells)).reshape(2, -1)
    up = np.stack([i + 1 / 3, j + 1 / 3], 1)[i + j < cells]
    down = np.stack([i + 2 / 3, j + 2 / 3], 1)[i + j < cells - 1]
    uv = np.concatenate([up, down]) / cells
    a, b, c = triangles[:, None, 0], triangles[:, None, 1], triangles[:, None, 2]
    places = a + uv[:, :1] * (b - a) + uv[:, 1:] * (c - a)
    step = places - point
    squared = (step**2).sum(-1)
    direction = step / np.sqrt(squared)[..., None]
    facing = np.abs(np.einsum("tsk,tk->ts", direction, face_normals(triangles)))
    part = triangle_areas(triangles)[:, None] / len(uv) * facing * np.maximum(direction @ normal, 0) / squared
    nearest = intersect(point[None], step.reshape(-1, 3), triangles)[0].min(axis=1)
    part = np.where(nearest.reshape(part.shape) < 1 - 1e-9, 0.0, part)
    return np.einsum("ts,tk->k", part, radiance)


def on_patch(light: FileLight, point: Floats) -> Floats:
    """Irradiance of the triangles of a light on a patch that faces it."""
    made = light_triangles(light, FLOOR)
    normal = light.position - point if light.kind != "sun" else -light.direction
    return irradiance(made.triangles, made.material[:, EMISSION], point, normal / np.linalg.norm(normal))


@pytest.mark.parametrize("direction", np.random.default_rng(0).normal(size=(12, 3)).tolist())
def test_flux_of_a_point_light(direction: list[float]) -> None:
    """I / d^2 on a facing patch, within 2 % in every direction and at every distance."""
    light = lamp("point")
    step = np.array(direction) / np.linalg.norm(direction)
    for distance in (0.3, 1.0, 2.5):
        found = on_patch(light, light.position + distance * step)
        np.testing.assert_allclose(found, np.array(light.intensity) / distance**2, rtol=0.02)


def test_flux_of_a_sun() -> None:
    light = lamp("sun")
    np.testing.assert_allclose(on_patch(light, np.zeros(3)), light.intensity, rtol=1e-3)
    lower = on_patch(light, np.array([0.0, 0, -0.25]))
    np.testing.assert_allclose(
        lower, np.array(light.intensity) * (SUN_DISTANCE / (SUN_DISTANCE + 0.25)) ** 2, rtol=1e-3
    )


@pytest.mark.parametrize(("inner", "outer"), [(0.0, 0.4), (0.3, 0.5), (0.5, 0.9), (0.75, 0.8)])
def test_cone_of_a_spot(inner: float, outer: float) -> None:
    """I cos / d^2 within the inner cone, nothing outside the outer one, where the rim hides the square."""
    light = lamp("spot", inner=inner, outer=outer)
    for angle in (0.0, 0.9 * inner, outer + 0.12, outer + 0.5, 2.5):
        point = light.position + 1.5 * np.array([math.sin(angle), 0, -math.cos(angle)])
        found = on_patch(light, point)
        full = np.array(light.intensity) / 1.5**2
        if angle <= 0.9 * inner:
            np.testing.assert_allclose(found, full * math.cos(angle), rtol=0.03)
        else:
            assert (found <= 0.01 * full).all(), angle


def test_lights_do_not_touch_surfaces_nor_exceed_the_largest_emission() -> None:
    near = np.array([[(-1.0, -1, 0.29), (1, -1, 0.29), (0, 2, 0.29)]])
    made = light_triangles(lamp("point"), near)
    assert np.linalg.norm(made.triangles - lamp("point").position, axis=-1).max() < 0.01
    strong = light_triangles(lamp("point", 1e4), near)
    assert strong.material[:, EMISSION].max() <= 65504


def test_scale_keeps_irradiance_and_colours(tmp_path: Path) -> None:
    """The same scene, ten times as large with a hundred times the intensity, is the same picture."""
    scenes = []
    for size in (1.0, 10.0):
        glb = GlbFile()
        glb.node(mesh=glb.mesh(QUAD, QUAD_FACES), scale=[size] * 3)
        glb.light({"translation": [0, 0, size]}, type="point", intensity=2 * size**2)
        glb.camera(0.8, translation=[0, 0, 3 * size])
        scenes.append(load(glb.write(tmp_path / f"{size}.glb")))
    for name in ("triangles", "vn", "material", "c2w", "fov"):
        np.testing.assert_allclose(getattr(scenes[0], name), getattr(scenes[1], name), rtol=1e-4, atol=1e-5)
    assert np.abs(scenes[0].triangles[:2]).max() == pytest.approx(0.5)


def test_cameras_frame_to_a_pixel(tmp_path: Path) -> None:
    """Corners of a quad in a tilted camera fall on the pixels that projection in the file's own units gives."""
    glb = GlbFile()
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES), translation=[3, 1, -2])
    turn = quaternion((0.2, 1, 0.1), 25)
    yfov, eye = 0.9, np.array([4.5, 1.5, 2.0])
    glb.camera(yfov, translation=eye.tolist(), rotation=turn)
    scene = load(glb.write(tmp_path / "file.glb"))
    from scipy.spatial.transform import Rotation

    def pixels(points: Floats, pose: Floats, position: Floats, fov: float) -> Floats:
        local = (points - position) @ pose
        return 256 * (local[:, :2] / -local[:, 2:] / np.tan(fov / 2) * (0.5, -0.5) + 0.5)

    expected = pixels(QUAD + np.array([3, 1, -2]), Rotation.from_quat(turn).as_matrix(), eye, yfov)
    corners = np.concatenate([scene.triangles[0], scene.triangles[1, 2:]]).astype(float)
    pose = scene.c2w[0].astype(float)
    found = pixels(corners, pose[:3, :3], pose[:3, 3], np.radians(float(scene.fov[0])))
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_missing_camera_frames_everything_and_missing_light_is_added(tmp_path: Path) -> None:
    glb = studio()
    for node in glb.document["nodes"]:
        node.pop("camera", None)
    placed = place_file(glb.write(tmp_path / "no-camera.glb"))
    assert any("no camera" in note for note in placed.notes)
    scene = placed.scene
    visible = scene.triangles[: sum(len(members) for name, members in placed.objects[:4])].reshape(-1, 3)
    local = (visible - scene.c2w[0, :3, 3]) @ scene.c2w[0, :3, :3]
    reach = np.abs(local[:, :2] / -local[:, 2:]).max() / np.tan(np.radians(scene.fov[0] / 2))
    assert 0.8 < reach < 1.0
    dark = studio()
    for node in dark.document["nodes"]:
        node.pop("extensions", None)
    placed = place_file(dark.write(tmp_path / "no-light.glb"))
    assert any("no light" in note for note in placed.notes)
    assert placed.scene.emitters.sum() == 1


def test_brightness_far_from_published_scenes_is_changed_and_said(tmp_path: Path) -> None:
    """80,000 lux of sun: multiplied, and lamp and emission keep their ratio; moderate light stays as it is."""
    for lux, changed in ((3.0, False), (80_000.0, True)):
        glb = GlbFile()
        glow = glb.add("materials", {"emissiveFactor": [1, 1, 1], "pbrMetallicRoughness": {"metallicFactor": 0}})
        glb.node(mesh=glb.mesh(QUAD, QUAD_FACES))
        glb.node(mesh=glb.mesh(0.01 * QUAD, QUAD_FACES, glow), translation=[0, 0, 0.5])
        glb.light({}, type="directional", intensity=lux)
        placed = place_file(glb.write(tmp_path / "file.glb"))
        emission = placed.scene.material[2:4, EMISSION]
        sun = placed.scene.material[-1, EMISSION]
        assert any("multiplied" in note for note in placed.notes) == changed
        ratio = lux * SUN_DISTANCE**2 / 0.12**2
        np.testing.assert_allclose(sun / emission[0], ratio, rtol=1e-2)
        assert (emission == 1).all() != changed


@pytest.mark.parametrize("lux", [None, 80_000.0])
def test_unlit_surfaces_have_their_colour_whatever_the_light(tmp_path: Path, lux: float | None) -> None:
    glb = GlbFile()
    surface = {
        "pbrMetallicRoughness": {"baseColorFactor": [0.2, 0.4, 0.6, 1]},
        "extensions": {"KHR_materials_unlit": {}},
    }
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES, glb.add("materials", surface)))
    glb.camera(0.8, translation=[0, 0, 3])
    if lux is not None:
        glb.light({}, type="directional", intensity=lux)
    scene = place_file(glb.write(tmp_path / "file.glb")).scene
    np.testing.assert_allclose(scene.material[:2, EMISSION], [(0.2, 0.4, 0.6)] * 2, atol=1e-6)
    np.testing.assert_array_equal(scene.material[:2, :6], 0)


def test_files_with_cameras_have_no_backdrop_unless_asked(tmp_path: Path) -> None:
    path = studio().write(tmp_path / "studio.glb")
    assert len(place_file(path).scene) == 2 + 2 + 2 * 1280 + 80 + 28 + 2
    placed = place_file(path, backdrop=True, max_triangles=8192)
    assert len(placed.scene.c2w) == 1
    assert len(placed.scene) == 2 + 2 + 2 * 1280 + 257
    assert [name for name, _ in placed.objects] == ["floor", "wall", "gold", "red", "backdrop"]
    np.testing.assert_allclose(placed.scene.triangles[:2564, :, 2].min(), -0.499, atol=1e-5)


def test_more_triangles_than_allowed_are_decimated(tmp_path: Path) -> None:
    placed = place_file(studio().write(tmp_path / "studio.glb"), max_triangles=1024)
    assert len(placed.scene) <= 1024
    assert any("decimated" in note for note in placed.notes)
    red = (placed.scene.material[:, 0] > 0.7) & (placed.scene.material[:, 1] < 0.2)
    assert 100 < red.sum() < 700


def test_colours_survive_decimation_on_the_backdrop(tmp_path: Path) -> None:
    """A ball with a red and a blue half, decimated: triangles keep the mean colour of what they replace."""
    fine = trimesh.creation.icosphere(5)
    fine.visual.face_colors = np.where(fine.triangles_center[:, 2:] > 0, (255, 0, 0, 255), (0, 0, 255, 255))
    with pytest.warns(UserWarning, match="decimated"):
        scene = TriangleScene.from_trimesh(fine, max_triangles=1500)
    mesh = scene.triangles[:-257]
    middle = (mesh.reshape(-1, 3)[:, 2].min() + mesh.reshape(-1, 3)[:, 2].max()) / 2
    height, diffuse = mesh.mean(axis=1)[:, 2] - middle, scene.material[: len(mesh), DIFFUSE]
    np.testing.assert_allclose(diffuse[height > 0.05], [(0.97, 0, 0)] * (height > 0.05).sum(), atol=1e-6)
    np.testing.assert_allclose(diffuse[height < -0.05], [(0, 0, 0.97)] * (height < -0.05).sum(), atol=1e-6)


def test_from_trimesh_with_a_texture_is_the_file_itself(tmp_path: Path) -> None:
    """trimesh's own reading of a textured GLB, turned into a scene, has the colours of our reading."""
    glb = GlbFile()
    surface = {"baseColorTexture": {"index": glb.texture(checkerboard(4))}, "metallicFactor": 0, "roughnessFactor": 0.7}
    material = glb.add("materials", {"pbrMetallicRoughness": surface, "doubleSided": True})
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES, material, TEXCOORD_0=QUAD_UV))
    path = glb.write(tmp_path / "file.glb")
    ours = place_file(path, detail=1000).scene
    with pytest.warns(UserWarning, match="faces"):
        theirs = TriangleScene.from_trimesh(trimesh.load(path), up="y", detail=1000)
    (first, second) = (
        one[np.lexsort(np.round(one, 4).T)] for one in (centres_and_colours(ours), centres_and_colours(theirs))
    )
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert len(ours) == 32 + 257
    with pytest.raises(InputError, match="faces"):
        TriangleScene.from_trimesh(trimesh.Scene())
    with pytest.raises(InputError, match="ndarray"):
        TriangleScene.from_trimesh(np.zeros((3, 3)))  # type: ignore[arg-type]


def centres_and_colours(scene: TriangleScene) -> Floats:
    return np.column_stack([scene.triangles.mean(axis=1), scene.material]).astype(float)


def test_json_holds_the_same_scene(tmp_path: Path) -> None:
    """Written as official JSON and read again: the same surfaces, colours in 255 steps, lights, cameras and normals."""
    scene = place_file(studio().write(tmp_path / "studio.glb"), detail=4096).scene
    rfcli.save_scene(scene, tmp_path / "scene.json")
    read = load(tmp_path / "scene.json")
    assert len(read) == len(scene)
    np.testing.assert_allclose(read.c2w, scene.c2w, atol=1e-6)
    np.testing.assert_allclose(read.fov, scene.fov, rtol=1e-6)

    def ordered(one: TriangleScene) -> tuple[Floats, Floats, Floats]:
        centre = np.round(one.triangles.mean(axis=1), 4)
        order = np.lexsort([*centre.T, triangle_areas(one.triangles)])
        order = order[np.lexsort(centre[order].T)]
        return one.triangles[order].mean(axis=1), one.material[order], one.vn[order].mean(axis=1)

    (centres, material, normals), (own_centres, own_material, own_normals) = ordered(read), ordered(scene)
    np.testing.assert_allclose(centres, own_centres, atol=1e-4)
    np.testing.assert_allclose(material[:, :7], own_material[:, :7], atol=0.003)
    np.testing.assert_allclose(material[:, 7:], own_material[:, 7:], rtol=2e-3)
    assert np.einsum("nk,nk->n", normals, own_normals).min() > 0.95
    rfcli.save_scene(scene, tmp_path / "scene.json")  # again, over its own files
    (tmp_path / "scene-meshes" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        rfcli.save_scene(scene, tmp_path / "scene.json")


@pytest.mark.slow
def test_json_of_many_colours_is_rounded_with_a_warning(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ball_mesh = trimesh.creation.icosphere(3)
    ball_mesh.visual.face_colors = rng.integers(0, 256, (len(ball_mesh.faces), 4), dtype=np.uint8)
    ball_mesh.visual.face_colors[:, 3] = 255
    scene = TriangleScene.from_trimesh(ball_mesh, max_triangles=8192)
    notes = save(scene, tmp_path / "scene.json")
    assert any("rounded" in note for note in notes)
    read = load(tmp_path / "scene.json")
    assert len(read) == len(scene)
    assert len(list((tmp_path / "scene-meshes").iterdir())) <= 1000
    np.testing.assert_allclose(read.material[:, DIFFUSE].mean(0), scene.material[:, DIFFUSE].mean(0), atol=0.02)


@pytest.mark.slow
def test_silhouettes_agree_with_pyrender(tmp_path: Path) -> None:
    """pyrender draws what trimesh reads from the same file; our scene through the same raster has its silhouette."""
    glb = studio()
    for node in glb.document["nodes"]:
        node.pop("extensions", None)
    path = glb.write(tmp_path / "studio.glb")
    scene = place_file(path, detail=4096).scene
    surfaces = ~scene.emitters
    for number, yfov in enumerate((0.7, 0.9)):
        node = [entry for entry in glb.document["nodes"] if "camera" in entry][number]
        pose = trimesh.transformations.quaternion_matrix([node["rotation"][3], *node["rotation"][:3]])
        pose[:3, 3] = node["translation"]
        theirs = flat_picture(trimesh.load(path, force="mesh").triangles, None, pose, yfov)[1]
        own = flat_picture(scene.triangles[surfaces], None, scene.c2w[number], np.radians(float(scene.fov[number])))[1]
        a, b = theirs > 0, own > 0
        assert a.any()
        assert (a & b).sum() / (a | b).sum() >= 0.99


@pytest.mark.slow
def test_colours_of_a_textured_quad_agree_with_pyrender(tmp_path: Path) -> None:
    """Unlit: the colour in the middle of each texel within 2/255 of that which pyrender draws from the same file."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    glb = GlbFile()
    surface = {
        "baseColorTexture": {"index": glb.texture(pixels.repeat(16, 0).repeat(16, 1), (10497, 10497))},
        "metallicFactor": 0,
    }
    specular = {"KHR_materials_specular": {"specularFactor": 0.0}}
    material = glb.add("materials", {"pbrMetallicRoughness": surface, "extensions": specular})
    glb.node(mesh=glb.mesh(QUAD, QUAD_FACES, material, TEXCOORD_0=QUAD_UV))
    yfov = 2 * math.atan(1 / 3)  # the quad fills the image
    glb.camera(yfov, translation=[0, 0, 3])
    path = glb.write(tmp_path / "quad.glb")
    pose = np.eye(4)
    pose[2, 3] = 3
    theirs = flat_picture(trimesh.load(path), None, pose, yfov)[0]
    scene = place_file(path, detail=1000).scene
    surfaces = ~scene.emitters
    linear = scene.material[surfaces, DIFFUSE]
    stored = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    own = flat_picture(scene.triangles[surfaces], stored, scene.c2w[0], np.radians(float(scene.fov[0])))[0]

    def middles(picture: Floats) -> Floats:
        """[8, 8, 3] mean of the four pixels around the middle of each texel."""
        return picture.reshape(8, 32, 8, 32, 3)[:, 15:17, :, 15:17].mean(axis=(1, 3))

    np.testing.assert_allclose(middles(own), pixels, atol=1)
    np.testing.assert_allclose(middles(own), middles(theirs), atol=2)


def flat_picture(geometry: Any, stored: Any, pose: Floats, yfov: float) -> tuple[Floats, Floats]:
    """Colours [256, 256, 3] and depth of an unlit raster; triangles with sRGB colours, or a scene of trimesh."""
    pyrender = load_pyrender()
    if isinstance(geometry, trimesh.Scene):
        world = pyrender.Scene.from_trimesh_scene(geometry, bg_color=[0, 0, 0, 0])
    else:
        world = pyrender.Scene(bg_color=[0, 0, 0, 0])
        corners = np.asarray(geometry, np.float32).reshape(-1, 3)
        colours = None if stored is None else np.repeat(stored, 3, axis=0).astype(np.float32)
        world.add(pyrender.Mesh([pyrender.Primitive(positions=corners, color_0=colours)]))
    world.add(pyrender.PerspectiveCamera(yfov=yfov, aspectRatio=1.0, znear=0.01), pose=np.asarray(pose, np.float64))
    renderer = pyrender.OffscreenRenderer(256, 256)
    colour, depth = renderer.render(world, flags=pyrender.RenderFlags.FLAT | pyrender.RenderFlags.SKIP_CULL_FACES)
    renderer.delete()
    return colour, depth
