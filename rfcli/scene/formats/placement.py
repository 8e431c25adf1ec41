"""A file that is a scene, with cameras or lights, brought into the range that models know."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.backdrop import CAMERA, FOV, LIGHT_RADIANCE, TARGET, PlacedFile, light, material_row
from rfcli.scene.decimation import decimated
from rfcli.scene.formats.contents import Contents, FileCamera, FileLight, Floats
from rfcli.scene.formats.detail import painted
from rfcli.scene.formats.lights import LightTriangles, light_triangles, mean_irradiance
from rfcli.scene.formats.surface import NORMALS, POSITION, Surface, surface_of
from rfcli.scene.geometry import face_normals, look_at
from rfcli.scene.schema import MAX_EMISSION, MAX_FOV
from rfcli.scene.triangle_scene import EMISSION, TriangleScene

Y_UP = np.array([(1, 0, 0), (0, 0, -1), (0, 1, 0)], dtype=np.float64)  # turns +y to +z
IRRADIANCE = 3.0  # mean in published scenes, from lights of 2500..5000 per unit area
IRRADIANCE_RANGE = 8.0  # brightness is left as it is up to this factor
MARGIN = 1.08  # around all vertices, in the image of a camera that the file lacks
MAX_REACH = 1e4  # of cameras and lights from the origin: the scene is 1 wide


def place_scene(contents: Contents, max_triangles: int, detail: int | None = None) -> PlacedFile:
    """Make a scene from a file with cameras or lights.

    The longest side of everything becomes 1, with the centre in the origin. Cameras and lights move with it; light
    keeps its irradiance. A camera that frames the scene, or a light, is added where the file has none.

    Args:
        contents: What the file says.
        max_triangles: Surfaces with more triangles are decimated.
        detail: Cut triangles in which the material varies, up to this number of triangles in all.

    Returns:
        The scene, with notes.

    Raises:
        InputError: Nothing is left to show.
    """
    notes, mapping = list(contents.notes), list[str]()
    surface = surface_of(contents.parts)
    if len(surface) == 0:
        raise InputError("the file has no triangles with an area; export it again.")
    turn = Y_UP if contents.up == "y" else np.eye(3)
    low, high = (f(surface.triangles.reshape(-1, 3), axis=0) for f in (np.min, np.max))
    scale, centre = 1 / float((high - low).max()), (low + high) / 2

    corners = surface.corners.copy()
    corners[..., POSITION] = (corners[..., POSITION] - centre) * scale @ turn.T
    corners[..., NORMALS] = corners[..., NORMALS] @ turn.T
    mapping.append(f"Lengths are multiplied by {scale:.4g}; the centre of all meshes becomes the origin.")
    surface, rows = painted(replace(surface, corners=corners), detail, notes)
    rows, lights = _illuminated(surface, rows, _moved(contents.lights, turn, scale, centre), notes)
    mapping += [lamp.line for lamp in lights if lamp.line]
    cameras = _cameras(contents.cameras, turn, scale, centre, surface.triangles, notes)
    surfaces = TriangleScene(
        triangles=surface.triangles.astype(np.float32),
        vn=surface.corners[..., NORMALS].astype(np.float32),
        material=rows.astype(np.float32),
        c2w=np.stack([pose for pose, _ in cameras]).astype(np.float32),
        fov=np.array([fov for _, fov in cameras], dtype=np.float32),
    )
    objects = [(part.name, np.flatnonzero(surface.part == number)) for number, part in enumerate(surface.parts)]
    budget = max(max_triangles, detail or 0) - sum(len(lamp.triangles) for lamp in lights)
    if len(surfaces) > budget:
        count = len(surfaces)
        surfaces, objects = decimated(surfaces, budget), []
        notes.append(f"{count:,} triangles are decimated to {len(surfaces):,}; `max_triangles` allows more.")
    scene, start = with_lights(surfaces, lights), len(surfaces)
    for lamp in lights:
        objects.append((lamp.name, np.arange(start, start + len(lamp.triangles))))
        start += len(lamp.triangles)
    return PlacedFile(scene, tuple(notes), tuple(mapping), objects if len(objects) > len(lights) else ())


def _moved(lights: Sequence[FileLight], turn: Floats, scale: float, centre: Floats) -> list[FileLight]:
    """Lights in the placed scene, with the same irradiance: intensities shrink with the square of lengths.

    Raises InputError if one is too far away to be computed.
    """
    moved = []
    for lamp in lights:
        position = (lamp.position - centre) * scale @ turn.T
        if lamp.kind != "sun" and np.abs(position).max() > MAX_REACH:
            raise InputError(f"the light {lamp.name} is {np.abs(position).max():,.0f} scene widths away; remove it.")
        turned = replace(lamp, position=position, direction=lamp.direction @ turn.T)
        moved.append(turned if lamp.kind == "sun" else _scaled(turned, scale**2))
    return moved


def _scaled(lamp: FileLight, factor: float) -> FileLight:
    red, green, blue = (value * factor for value in lamp.intensity)
    return replace(lamp, intensity=(red, green, blue))


def _illuminated(
    surface: Surface, rows: Floats, lights: Sequence[FileLight], notes: list[str]
) -> tuple[Floats, list[LightTriangles]]:
    """Materials and lights of a brightness that models know; the light of the backdrop where nothing emits.

    Emission and lights are multiplied by the same factor if the mean irradiance is far from that of published scenes;
    unlit surfaces, whose emission is the colour in the picture, stay as they are.
    """
    rows = rows.copy()
    emits = (rows[:, EMISSION] > 0).any(axis=1)
    if not emits.any() and not lights:
        notes.append("The file has no light; the light of the backdrop is added.")
        lamp = material_row((0.0, 0.0, 0.0), LIGHT_RADIANCE)
        return rows, [LightTriangles("light", light()[None].astype(np.float64), lamp.astype(np.float64), "")]
    unlit = np.array([part.material is not None and part.material.unlit for part in surface.parts])[surface.part]
    lamps = emits & ~unlit
    mean = mean_irradiance(surface.triangles, lights, surface.triangles[lamps], rows[lamps][:, EMISSION])
    if mean > 0 and not IRRADIANCE / IRRADIANCE_RANGE <= mean <= IRRADIANCE * IRRADIANCE_RANGE:
        factor = IRRADIANCE / mean
        notes.append(
            f"All light is multiplied by {factor:.3g}: its irradiance without shadows, {mean:.3g} on average, is far "
            f"from that of published scenes, {IRRADIANCE:g}."
        )
        rows[~unlit, EMISSION] *= factor
        lights = [_scaled(lamp, factor) for lamp in lights]
    brightest = rows[:, EMISSION].max(initial=0.0)
    if brightest > MAX_EMISSION:
        notes.append(f"Emission of up to {brightest:.3g} is limited to {MAX_EMISSION:,.0f}, which scenes can store.")
        rows[:, EMISSION] = np.minimum(rows[:, EMISSION], MAX_EMISSION)
    return rows, [light_triangles(lamp, surface.triangles) for lamp in lights]


def _cameras(
    cameras: Sequence[FileCamera], turn: Floats, scale: float, centre: Floats, triangles: Floats, notes: list[str]
) -> list[tuple[Floats, float]]:
    """Camera to world and field of view of each camera; one that frames the triangles where the file has none."""
    found = []
    for camera in cameras:
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = turn @ camera.c2w[:3, :3], (camera.c2w[:3, 3] - centre) * scale @ turn.T
        if np.abs(pose[:3, 3]).max() > MAX_REACH:
            raise InputError(f"the camera {camera.name} is too far away from the meshes; move it nearer.")
        if camera.fov_y > MAX_FOV:
            raise InputError(f"the camera {camera.name} has a field of view of {camera.fov_y:g} degrees; lower it.")
        if camera.aspect is not None and abs(camera.aspect - 1) > 0.01:
            notes.append(
                f"Camera {camera.name} has images {camera.aspect:.3g} times as wide as high; pictures are square, with "
                "the same height."
            )
        found.append((pose, camera.fov_y))
    if not found:
        notes.append("The file has no camera; one that shows everything is added.")
        found.append((framing_pose(triangles.reshape(-1, 3)), FOV))
    return found


def framing_pose(points: Floats) -> Floats:
    """[4, 4] camera that looks along the direction of the backdrop's camera and shows all points [P, 3]."""
    direction = (np.asarray(CAMERA) - TARGET) / np.linalg.norm(np.asarray(CAMERA) - TARGET)
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    pose = look_at(centre + direction, centre)
    across, up, backward = ((points - centre) @ pose[:3, :3]).T
    distance = (np.maximum(np.abs(across), np.abs(up)) * MARGIN / np.tan(np.radians(FOV / 2)) + backward).max()
    pose[:3, 3] = centre + distance * direction
    return pose


def with_lights(scene: TriangleScene, lights: Sequence[LightTriangles]) -> TriangleScene:
    """The scene with the triangles of lights at its end."""
    corners = np.concatenate([lamp.triangles for lamp in lights]) if lights else np.empty((0, 3, 3))
    flat = np.repeat(face_normals(corners)[:, None], 3, axis=1)
    rows = np.concatenate([lamp.material for lamp in lights]) if lights else np.empty((0, 13))
    return replace(
        scene,
        triangles=np.concatenate([scene.triangles, corners]),
        vn=np.concatenate([scene.vn, flat]),
        material=np.concatenate([scene.material, rows]),
    )
