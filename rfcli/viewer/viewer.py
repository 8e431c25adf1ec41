"""The viewer: a page on this machine, one thread that renders, and what connects them."""

import contextlib
import io
import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import viser

from rfcli.errors import InputError
from rfcli.pictures.renderers import NetworkRenderer, RenderSettings
from rfcli.scene import DIFFUSE, ROUGHNESS, SPECULAR, TriangleScene
from rfcli.scene.ray_casting import RayCaster, ray_caster
from rfcli.viewer.cameras import WindowCamera, default_camera, orbit_pose, window_fov
from rfcli.viewer.comparisons import comparison_choices, load_comparison
from rfcli.viewer.drawing import SceneDrawing, Settings, Shown
from rfcli.viewer.edits import EditableScene, Material, SceneEdits, Triple
from rfcli.viewer.network_pictures import Checks, NetworkPictures
from rfcli.viewer.overlays import Overlays
from rfcli.viewer.page import Page
from rfcli.viewer.render_loop import Interrupted, RenderLoop
from rfcli.viewer.saving import check_scene_file, save_picture, save_scene, save_video

DEFAULT_PORT = 8080
PATIENCE = 2.0  # seconds after which a first stage is given up for a newer change of the scene
PROGRESS_SECONDS = 0.5  # between messages about a long first stage
ERROR_SECONDS = 20.0  # that a message about an error stays


class Viewer:
    """A page that shows a scene; it runs until `close`, in threads of its own.

    Args:
        scene: The scene.
        renderer: The network.
        path: The file of the scene, for its objects' names and for names of saved files.
        settings: At the start.
        out: Folder for saved pictures and videos.
        scene_file: Where the button "Save scene" writes; None: there is no such button.
        host: Address to listen on.
        port: The first port to try; the next free one is taken.
        log: Takes each error and each saved file as a line of text.

    Attributes:
        url: Of the page.
        saved: Files written by the page.

    Raises:
        InputError: The scene cannot be written to `scene_file`.
    """

    def __init__(
        self,
        scene: TriangleScene,
        renderer: NetworkRenderer,
        path: Path | None = None,
        settings: Settings | None = None,
        out: Path = Path(),
        scene_file: Path | None = None,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        if scene_file is not None:
            check_scene_file(scene_file, path)
        self._path, self._out, self._scene_file, self._log = path, out, scene_file, log
        self._stem = path.stem if path is not None else "scene"
        self._original = EditableScene.of(scene, path)
        self._c2w, self._fov = scene.c2w, scene.fov
        if not len(self._fov):
            pose, fov = default_camera(scene.triangles)
            self._c2w, self._fov = pose[None], np.array([fov], dtype=np.float32)
        self._centre = scene.triangles[~scene.emitters].reshape(-1, 3) if (~scene.emitters).any() else scene.triangles
        self._centre = (self._centre.reshape(-1, 3).min(0) + self._centre.reshape(-1, 3).max(0)) / 2
        self.saved: list[Path] = []
        self._closed = threading.Event()
        self._windows: dict[Hashable, _Window] = {}
        self._caster: tuple[SceneEdits, RayCaster] | None = None
        self._stage_edits, self._stage_said = SceneEdits(), 0.0
        self._wireframe, self._wireframe_offsets = False, SceneEdits().offset
        self._compared = 0  # comparisons asked for so far
        self._cameras_shown = False

        self._server = _start_server(host, port)
        self.url = f"http://{'localhost' if host in ('0.0.0.0', '127.0.0.1') else host}:{self._server.get_port()}"
        pictures = NetworkPictures(renderer, self._original, Checks(self._check_stage, self._check_view))
        self._drawing = SceneDrawing(pictures, self._camera_of, self._show, self._failed)
        self._drawing.settings = settings or Settings(resolution=renderer.default_resolution)
        self._loop = RenderLoop(self._drawing, self._prepare)
        self._overlays = Overlays(self._server, scene)
        self._overlays.show_preview(True)
        self._overlays.add_handles(list(self._original.lights), self._handle_moved)
        self._page = Page(
            self._server,
            self._original,
            self,
            self._drawing.settings,
            len(self._fov),
            comparison_choices(renderer),
            str(scene_file) if scene_file is not None else None,
        )
        self._start_at_first_camera()
        self._server.scene.on_click()(self._clicked)
        self._loop.start()
        self._server.on_client_connect(self._connected)
        self._server.on_client_disconnect(self._disconnected)

    def wait(self) -> None:
        """Wait until the viewer is closed; Ctrl-C ends the wait with KeyboardInterrupt."""
        self._closed.wait()

    def close(self) -> bool:
        """Stop rendering and close the page; returns False if a step of a picture still runs."""
        if not self._closed.is_set():
            self._closed.set()
            self._loop.close()
            with contextlib.redirect_stdout(io.StringIO()):
                self._server.stop()
        return self._loop.close(0.0)

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        """The page in a notebook."""
        return f'<iframe src="{self.url}" width="100%" height="640" style="border:0" title="rf view"></iframe>'

    # What the controls of the page do.

    def set_settings(self, settings: Settings) -> None:
        old, self._drawing.settings = self._drawing.settings, settings
        if old.resolution != settings.resolution:
            self._loop.request_all()
        else:
            self._loop.present_all()

    def set_radiance(self, light: int, radiance: Triple) -> None:
        self._edit(self._drawing.edits.with_radiance(light, radiance))

    def set_offset(self, light: int, offset: Triple) -> None:
        self._edit(self._drawing.edits.with_offset(light, offset))
        self._overlays.place_handle(light, self._original.lights[light], offset)

    def set_material(self, part: str, material: Material) -> None:
        self._edit(self._drawing.edits.with_material(part, material))

    def reset_scene(self) -> None:
        self._edit(SceneEdits())
        for number, light in enumerate(self._original.lights):
            self._overlays.place_handle(number, light, (0.0, 0.0, 0.0))

    def show_wireframe(self, shown: bool) -> None:
        self._wireframe, self._wireframe_offsets = shown, self._drawing.edits.offset
        self._overlays.show_wireframe(self._drawing.edits.apply(self._original), shown)

    def show_handles(self, shown: bool) -> None:
        self._overlays.show_handles(shown)

    def show_cameras(self, shown: bool) -> None:
        self._cameras_shown = shown
        self._overlays.show_cameras(self._c2w, self._fov, shown)

    def go_to_camera(self, client: viser.ClientHandle, number: int) -> None:
        pose = orbit_pose(self._c2w[number], self._centre)
        with client.atomic():
            client.camera.position = pose.position
            client.camera.look_at = pose.target
            client.camera.up_direction = pose.up
            client.camera.fov = np.radians(window_fov(float(self._fov[number]), client.camera.aspect))

    def add_camera(self, client: viser.ClientHandle) -> None:
        camera = _window_camera(client)
        self._c2w = np.concatenate([self._c2w, camera.matrix[None]])
        self._fov = np.append(self._fov, np.float32(min(camera.fov, camera.square_fov)))
        self._page.set_camera_count(len(self._fov))
        self.show_cameras(self._cameras_shown)
        self._say(client.client_id, f"Camera {len(self._fov) - 1} added.")

    def compare(self, choice: str, model: str, keys: int) -> None:
        self._compared += 1
        self._loop.add_background(self._load_comparison(self._compared, choice, model, keys))

    def save_picture(self, client: viser.ClientHandle) -> None:
        self._loop.add_background(self._save_picture(client))

    def save_scene(self, client: viser.ClientHandle) -> None:
        self._loop.add_background(self._save_scene(client))

    def save_video(self, client: viser.ClientHandle, frames: int, fps: float) -> None:
        self._loop.add_background(self._save_video(client, frames, fps))

    def _edit(self, edits: SceneEdits) -> None:
        self._drawing.edits = edits
        self._loop.request_all()

    # Work in the background of the thread that renders.

    def _load_comparison(self, number: int, choice: str, model: str, keys: int) -> Iterator[None]:
        if number == self._compared:  # else another choice was made meanwhile
            self._say_all(f"Loading: {choice}.")
            checks = Checks(self._check_stage, self._check_view)
            self._drawing.right = None
            self._drawing.right, note = load_comparison(self._drawing.left, checks, choice, model, keys)
            self._say_all(note)
            self._loop.request_all()
        yield

    def _save_picture(self, client: viser.ClientHandle) -> Iterator[None]:
        shown = self._drawing.shown(client.client_id)
        if shown is not None:
            self._note_files(client, save_picture(shown, self._drawing.settings, self._out, self._stem))
        yield

    def _save_scene(self, client: viser.ClientHandle) -> Iterator[None]:
        assert self._scene_file is not None
        save_scene(self._scene_file, self._original, self._drawing.edits, self._c2w, self._fov, self._path)
        self._note_files(client, [self._scene_file])
        yield

    def _save_video(self, client: viser.ClientHandle, frames: int, fps: float) -> Iterator[None]:
        drawing = self._drawing
        scene = replace(drawing.edits.apply(self._original), c2w=self._c2w, fov=self._fov)
        settings = RenderSettings(
            drawing.left.renderer, drawing.settings.resolution, drawing.settings.display, self._out
        )
        for progress in save_video(settings, scene, self._stem, frames, fps):
            if isinstance(progress, int):
                self._say(client.client_id, f"Video: {progress} of {frames} frames.")
            else:
                self._note_files(client, progress)
            yield

    def _note_files(self, client: viser.ClientHandle, paths: list[Path]) -> None:
        self.saved += [path for path in paths if path not in self.saved]
        text = " and ".join(str(path.resolve()) for path in paths)
        self._log(f"Saved {text}.")
        self._say(client.client_id, f"Saved {text}.")

    # Windows: connected, moved, clicked, shown, closed.

    def _start_at_first_camera(self) -> None:
        """New windows begin at the first camera."""
        pose, camera = orbit_pose(self._c2w[0], self._centre), self._server.initial_camera
        camera.position, camera.look_at, camera.up = pose.position, pose.target, pose.up
        camera.fov = float(np.radians(self._fov[0]))

    def _connected(self, client: viser.ClientHandle) -> None:
        status = client.gui.add_markdown("Starting.", order=-1)
        self._windows[client.client_id] = _Window(client, status, self._first_camera(client.camera.aspect))
        client.camera.fov = float(np.radians(window_fov(float(self._fov[0]), client.camera.aspect)))
        client.camera.on_update(lambda _: self._moved(client))
        self._loop.request(client.client_id)

    def _first_camera(self, aspect: float) -> WindowCamera:
        """The first camera of the scene in a window of this shape."""
        pose = tuple(self._c2w[0].astype(np.float64).reshape(-1).tolist())
        return WindowCamera(pose, window_fov(float(self._fov[0]), aspect), aspect)

    def _moved(self, client: viser.ClientHandle) -> None:
        """Draw a window again if its camera or shape differs from before; the browser also reports when both rest."""
        window, camera = self._windows.get(client.client_id), _window_camera(client)
        if window is None:
            return
        if camera.c2w == window.unplaced:  # reported before the browser has moved to the first camera
            camera = self._first_camera(camera.aspect)
        if window.camera != camera:
            window.camera = camera
            self._loop.request(client.client_id)

    def _disconnected(self, client: viser.ClientHandle) -> None:
        self._windows.pop(client.client_id, None)
        self._loop.remove(client.client_id)
        self._drawing.forget(client.client_id)

    def _camera_of(self, view: Hashable) -> WindowCamera | None:
        window = self._windows.get(view)
        return window.camera if window is not None else None

    def _show(self, view: Hashable, shown: Shown) -> None:
        window = self._windows.get(view)
        if window is None:
            return
        settings = self._drawing.settings
        pixels = np.ascontiguousarray(shown.pixels(settings.display, settings.wipe))
        window.client.scene.set_background_image(pixels, "png" if shown.final else "jpeg", jpeg_quality=90)
        self._overlays.show_preview(False)
        if self._wireframe and shown.final and self._wireframe_offsets != shown.edits.offset:
            self.show_wireframe(True)
        window.report = _report(shown, len(self._original.scene))
        if shown.final:
            window.error = ""
        window.update()

    def _failed(self, view: Hashable | None, error: Exception) -> None:
        text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        self._log(f"Error: {text}")
        for name, window in list(self._windows.items()):
            if view is None or name == view:
                window.error = text
                window.update()
                window.client.add_notification(
                    "Error", text.replace("`", ""), auto_close_seconds=ERROR_SECONDS, color="red"
                )

    def _say(self, view: Hashable, note: str) -> None:
        window = self._windows.get(view)
        if window is not None:
            window.note = note
            window.update()

    def _say_all(self, note: str) -> None:
        for view in list(self._windows):
            self._say(view, note)

    def _handle_moved(self, light: int, offset: Triple) -> None:
        self._edit(self._drawing.edits.with_offset(light, offset))
        self._page.set_offset(light, offset)

    def _clicked(self, event: viser.SceneClickEvent) -> None:
        """Say what was clicked, and mark its triangle."""
        edits = self._drawing.edits
        scene = edits.apply(self._original)
        if self._caster is None or self._caster[0] != edits:
            self._caster = edits, ray_caster(scene.triangles)
        origin, direction = (np.array([v], dtype=np.float32) for v in (event.ray_origin, event.ray_direction))
        triangle = int(self._caster[1].first_hits(origin, direction).triangle[0])
        self._overlays.show_picked(event.client, scene.triangles[triangle] if triangle >= 0 else None)
        if triangle < 0:
            self._say(event.client_id, "")
            return
        part = self._original.part_of(triangle)
        self._page.choose_part(part)
        row = scene.material[triangle]
        colors = "; ".join(
            f"{name} {' '.join(f'{value:.2f}' for value in row[column])}"
            for name, column in (("diffuse", DIFFUSE), ("specular", SPECULAR))
        )
        light = ", a light" if scene.emitters[triangle] else f"; {colors}; roughness {row[ROUGHNESS]:.2f}"
        self._say(event.client_id, f"Clicked: **{part}**, triangle {triangle:,} of {len(scene):,}{light}.")

    # Called between layers, on the thread that renders.

    def _prepare(self) -> None:
        self._drawing.left.prepare(SceneEdits())

    def _check_stage(self, number: int, layers: int, seconds: float) -> None:
        if self._loop.closing:
            raise Interrupted
        if number == 0:
            self._stage_edits, self._stage_said = self._drawing.edits, 0.0
        elif seconds > PATIENCE and self._drawing.edits != self._stage_edits:
            raise Interrupted
        if seconds - self._stage_said > PROGRESS_SECONDS:
            self._stage_said = seconds
            count = len(self._original.scene)
            self._say_all(f"First stage of {count:,} triangles: layer {number} of {layers}, {seconds:.0f} s.")

    def _check_view(self) -> None:
        if self._loop.interrupted():
            raise Interrupted


class _Window:
    """A connected browser window and the text beside its picture."""

    def __init__(self, client: viser.ClientHandle, status: viser.GuiMarkdownHandle, camera: WindowCamera) -> None:
        self.client, self._status, self.camera = client, status, camera
        self.unplaced = _window_camera(client).c2w
        self.report = self.note = self.error = ""
        self._text = ""

    def update(self) -> None:
        """Show report, note and error."""
        error = f"**Error:** {self.error}" if self.error else ""
        text = "\n\n".join(part for part in (self.report, self.note, error) if part)
        if text != self._text:
            self._text = text
            self._status.content = text


def _report(shown: Shown, triangles: int) -> str:
    sides = [f"{report.title}: {report.effort}" for report in shown.reports]
    if len(sides) == 2:
        sides = [f"Left: {sides[0]}", f"Right: {sides[1]}"]
    if shown.psnr is not None:
        sides.append(f"PSNR {shown.psnr:.2f} dB")
    return "\n\n".join([f"{triangles:,} triangles", *sides])


def _window_camera(client: viser.ClientHandle) -> WindowCamera:
    camera = client.camera
    return WindowCamera.of_viser(camera.wxyz, camera.position, camera.fov, camera.image_width, camera.image_height)


def _start_server(host: str, port: int) -> viser.ViserServer:
    """A viser server without its banner, and without its option to publish the page through another machine."""

    class LocalServer(viser.ViserServer):
        def request_share_url(self, verbose: bool = True) -> str | None:
            return None

    with contextlib.redirect_stdout(io.StringIO()):
        return LocalServer(host=host, port=port, label="rf view", verbose=False)
