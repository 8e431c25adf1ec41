"""What is drawn over the picture by the browser: wireframe, handles of lights, cameras, the clicked triangle."""

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import viser

from rfcli.pictures.tone_mapping import srgb_encode
from rfcli.scene import DIFFUSE, TriangleScene
from rfcli.viewer.cameras import FLIP
from rfcli.viewer.edits import Light, Triple

Floats = npt.NDArray[np.float32]
Moved = Callable[[int, Triple], None]  # number of a light, and its translation

PREVIEW, WIREFRAME, PICKED = "/preview", "/wireframe", "/picked"
LINE = (255, 140, 0)  # orange is seen on light and dark pictures
HANDLE_SIZE, CAMERA_SIZE = 0.2, 0.06  # scene units


class Overlays:
    """The browser's own 3D scene, the same in all windows but for the clicked triangle."""

    def __init__(self, server: viser.ViserServer, scene: TriangleScene) -> None:
        self._server = server
        self._scene = scene
        self._cameras: list[viser.CameraFrustumHandle] = []
        self._handles: list[viser.TransformControlsHandle] = []
        self._wireframe: viser.SceneNodeHandle | None = None
        self._preview: viser.SceneNodeHandle | None = None

    def show_preview(self, shown: bool) -> None:
        """The triangles in their diffuse colours, shaded by the browser, until there is a picture."""
        if shown and self._preview is None:
            import trimesh

            emits = self._scene.emitters[:, None]
            colors = np.where(emits, 1.0, srgb_encode(self._scene.material[:, DIFFUSE].astype(np.float64)))
            rgba = np.concatenate([np.round(colors * 255), np.full((len(colors), 1), 255)], 1).astype(np.uint8)
            mesh = trimesh.Trimesh(*_mesh(self._scene), face_colors=rgba, process=False)
            self._preview = self._server.scene.add_mesh_trimesh(PREVIEW, mesh)
        elif not shown and self._preview is not None:
            self._preview.remove()
            self._preview = None

    def show_wireframe(self, scene: TriangleScene, shown: bool) -> None:
        """The edges of all triangles."""
        if self._wireframe is not None:
            self._wireframe.remove()
            self._wireframe = None
        if shown:
            # A mesh drawn as wireframe takes seconds per frame where WebGL runs on the processor; lines do not.
            self._wireframe = self._server.scene.add_line_segments(
                WIREFRAME, edges(scene.triangles), LINE, thickness=1.0, thickness_units="screen"
            )

    def add_handles(self, lights: list[Light], moved: Moved) -> None:
        """One hidden handle per light; `moved` is called with the light's number and its translation."""
        for number, light in enumerate(lights):
            handle = self._server.scene.add_transform_controls(
                f"/lights/{number}",
                scale=HANDLE_SIZE,
                disable_rotations=True,
                depth_test=False,
                position=light.centre,
                visible=False,
            )
            handle.on_update(functools.partial(self._handle_dragged, number, lights, moved))
            self._handles.append(handle)

    def _handle_dragged(
        self,
        number: int,
        lights: list[Light],
        moved: Callable[[int, Triple], None],
        event: viser.TransformControlsEvent,
    ) -> None:
        x, y, z = (float(v) for v in np.asarray(event.target.position) - lights[number].centre)
        moved(number, (x, y, z))

    def place_handle(self, number: int, light: Light, offset: Triple) -> None:
        """Move the handle of a light to where the light is."""
        x, y, z = (float(c + o) for c, o in zip(light.centre, offset, strict=True))
        self._handles[number].position = (x, y, z)

    def show_handles(self, shown: bool) -> None:
        for handle in self._handles:
            handle.visible = shown

    def show_cameras(self, c2w: Floats, fov: Floats, shown: bool) -> None:
        """A frustum for each camera [V, 4, 4] with its angle [V] in degrees."""
        for frustum in self._cameras:
            frustum.remove()
        self._cameras = []
        for number, (pose, angle) in enumerate(zip(c2w, fov, strict=True) if shown else ()):
            self._cameras.append(
                self._server.scene.add_camera_frustum(
                    f"/cameras/{number}",
                    fov=float(np.radians(angle)),
                    aspect=1.0,
                    scale=CAMERA_SIZE,
                    color=LINE,
                    wxyz=viser.transforms.SO3.from_matrix(pose[:3, :3].astype(np.float64) @ FLIP).wxyz,
                    position=pose[:3, 3].astype(np.float64),
                )
            )

    @staticmethod
    def show_picked(client: viser.ClientHandle, corners: Floats | None) -> None:
        """The outline of a triangle [3, 3] in one window; None: of none."""
        if corners is None:
            client.scene.remove_by_name(PICKED)
            return
        segments = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
        client.scene.add_line_segments(PICKED, segments, colors=LINE, thickness=3.0, thickness_units="screen")


def _mesh(scene: TriangleScene) -> tuple[Floats, npt.NDArray[np.uint32]]:
    """Vertices [3 N, 3] and faces [N, 3] of the triangles."""
    return scene.triangles.reshape(-1, 3), np.arange(3 * len(scene), dtype=np.uint32).reshape(-1, 3)


def edges(triangles: Floats) -> Floats:
    """[E, 2, 3] end points of the edges of triangles [N, 3, 3]; an edge that two triangles share occurs once."""
    ends = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2, 3)
    flipped = ends[:, ::-1]
    order = _first_difference(ends[:, 0] - ends[:, 1]) > 0
    return np.unique(np.where(order[:, None, None], flipped, ends).reshape(-1, 6), axis=0).reshape(-1, 2, 3)


def _first_difference(vectors: Floats) -> Floats:
    """[E] the first coordinate of each vector that is not 0, else 0."""
    first = (vectors != 0).argmax(axis=1)
    return np.asarray(vectors[np.arange(len(vectors)), first])
