"""The controls beside the picture. They are shared by all windows; only camera and status belong to one window."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import viser

from rfcli.pictures.tone_mapping import TONE_MAPPINGS, srgb_encode
from rfcli.viewer.drawing import RESOLUTIONS, Settings
from rfcli.viewer.edits import EditableScene, Material, Triple

MAX_STRENGTH = 4.0  # times the radiance in the scene's file
MAX_LISTED_PARTS = 64  # of a scene without objects, each with a material of its own
Control = Any  # a viser.GuiInputHandle; its class declares `value` without a setter, which type checkers then forbid
NOTHING, PATH_TRACER, OTHER_MODEL = "nothing", "path tracer", "another model"
HELP = (
    "**Mouse:** drag to orbit, right button to pan, wheel to zoom, click a surface to see what it is.\n\n"
    "**Keys:** W A S D to walk, Q E down and up, arrow keys to turn. Tab reaches all controls."
)


class Actions(Protocol):
    """What the controls do; every method returns at once."""

    def set_settings(self, settings: Settings) -> None: ...
    def set_radiance(self, light: int, radiance: Triple) -> None: ...
    def set_offset(self, light: int, offset: Triple) -> None: ...
    def set_material(self, part: str, material: Material) -> None: ...
    def reset_scene(self) -> None: ...
    def show_wireframe(self, shown: bool) -> None: ...
    def show_handles(self, shown: bool) -> None: ...
    def show_cameras(self, shown: bool) -> None: ...
    def go_to_camera(self, client: viser.ClientHandle, number: int) -> None: ...
    def add_camera(self, client: viser.ClientHandle) -> None: ...
    def compare(self, choice: str, model: str, keys: int) -> None: ...
    def save_picture(self, client: viser.ClientHandle) -> None: ...
    def save_scene(self, client: viser.ClientHandle) -> None: ...
    def save_video(self, client: viser.ClientHandle, frames: int, fps: float) -> None: ...


class Page:
    """Builds the controls and calls `Actions` when a user changes one.

    Args:
        server: The page's server.
        original: The scene.
        actions: What the controls do.
        settings: At the start.
        cameras: Number of cameras of the scene.
        comparisons: Choices of the other side of the wipe.
        scene_file: Where `save_scene` writes; None: there is no such button.
    """

    def __init__(
        self,
        server: viser.ViserServer,
        original: EditableScene,
        actions: Actions,
        settings: Settings,
        cameras: int,
        comparisons: Sequence[str],
        scene_file: str | None,
    ) -> None:
        self._gui, self._original, self._actions, self._settings = server.gui, original, actions, settings
        self._chroma = [_chroma(light.radiance) for light in original.lights]
        self._strength = [1.0] * len(original.lights)
        self._offsets: list[Triple] = [(0.0, 0.0, 0.0)] * len(original.lights)
        self._materials: dict[str, Material] = {}
        self._gui.set_panel_label("rf view")
        self._gui.main_panel.dock_right()
        self._theme(dark=False)
        self._picture()
        self._cameras(cameras)
        if original.lights:
            self._light()
        if original.surfaces:
            self._material()
        self._comparison(comparisons)
        self._saving(scene_file)
        with self._gui.add_folder("Help", expand_by_default=False):
            self._gui.add_markdown(HELP)

    def set_camera_count(self, cameras: int) -> None:
        """There is one more camera."""
        self._camera.options = _camera_names(cameras)

    def set_offset(self, light: int, offset: Triple) -> None:
        """A light was moved by its handle."""
        self._offsets[light] = offset
        if light == self._chosen_light():
            self._move.value = offset

    def choose_part(self, part: str) -> None:
        """Show the material of a part that was clicked."""
        if self._original.surfaces and part in self._part.options:
            self._part.value = part
            self._show_material(part)

    def _theme(self, dark: bool) -> None:
        self._gui.configure_theme(dark_mode=dark, show_logo=False, show_share_button=False, control_width="medium")

    def _picture(self) -> None:
        with self._gui.add_folder("Picture", expand_by_default=False):
            resolution = self._gui.add_dropdown(
                "Resolution",
                sorted({*map(str, RESOLUTIONS), str(self._settings.resolution)}, key=int),
                initial_value=str(self._settings.resolution),
                hint="Longer side of the picture in pixels, once the camera rests.",
            )
            exposure = self._gui.add_slider("Exposure", -6.0, 6.0, 0.1, self._settings.display.exposure, hint="Stops.")
            tone = self._gui.add_dropdown(
                "Tone mapping", list(TONE_MAPPINGS), initial_value=self._settings.display.tone_mapping
            )
            wireframe = self._gui.add_checkbox("Wireframe", False, hint="The edges of all triangles.")
            dark = self._gui.add_checkbox("Dark page", False)
        self._when(resolution, lambda: self._change(resolution=int(resolution.value)))
        self._when(exposure, lambda: self._change(exposure=float(exposure.value)))
        self._when(tone, lambda: self._change(tone_mapping=str(tone.value)))
        self._when(wireframe, lambda: self._actions.show_wireframe(bool(wireframe.value)))
        self._when(dark, lambda: self._theme(bool(dark.value)))

    def _cameras(self, cameras: int) -> None:
        with self._gui.add_folder("Cameras", expand_by_default=False):
            self._camera: Control = self._gui.add_dropdown(
                "Go to", _camera_names(cameras), hint="Cameras of the scene."
            )
            go = self._gui.add_button("Go to this camera")
            add = self._gui.add_button("Add camera", hint="Adds the present view to the scene's cameras.")
            shown = self._gui.add_checkbox("Show cameras", False)
        for control in (self._camera, go):
            self._when_by(control, lambda client: self._actions.go_to_camera(client, self._chosen_camera()))
        self._when_by(add, self._actions.add_camera)
        self._when(shown, lambda: self._actions.show_cameras(bool(shown.value)))

    def _chosen_camera(self) -> int:
        return list(self._camera.options).index(self._camera.value)

    def _light(self) -> None:
        names = _distinct([light.name for light in self._original.lights])
        with self._gui.add_folder("Light"):
            self._light_name: Control = self._gui.add_dropdown("Light", names)
            self._strength_slider: Control = self._gui.add_slider(
                "Strength", 0.0, MAX_STRENGTH, 0.01, 1.0, hint="Times the radiance in the scene's file."
            )
            self._colour: Control = self._gui.add_rgb("Colour", _to_rgb(self._chroma[0]))
            self._move: Control = self._gui.add_vector3(
                "Move", (0.0, 0.0, 0.0), step=0.01, hint="Scene units: x, y, z."
            )
            handles = self._gui.add_checkbox("Show handles", False, hint="Drag them in the picture to move lights.")
            reset = self._gui.add_button("Reset scene", hint="Lights and materials as in the scene's file.")
        self._when(self._light_name, self._show_light)
        self._when(self._strength_slider, self._change_light)
        self._when(self._colour, lambda: self._change_light(recoloured=True))
        self._when(self._move, self._move_light)
        self._when(handles, lambda: self._actions.show_handles(bool(handles.value)))
        self._when(reset, self._reset)

    def _chosen_light(self) -> int:
        return list(self._light_name.options).index(self._light_name.value)

    def _show_light(self) -> None:
        light = self._chosen_light()
        self._strength_slider.value = self._strength[light]
        self._colour.value = _to_rgb(self._chroma[light])
        self._move.value = self._offsets[light]

    def _change_light(self, recoloured: bool = False) -> None:
        light = self._chosen_light()
        if recoloured:
            self._chroma[light] = _from_rgb(self._colour.value)
        self._strength[light] = float(self._strength_slider.value)
        peak = max(self._original.lights[light].radiance) * self._strength[light]
        r, g, b = (peak * channel for channel in self._chroma[light])
        self._actions.set_radiance(light, (r, g, b))

    def _move_light(self) -> None:
        light = self._chosen_light()
        x, y, z = (float(value) for value in self._move.value)
        self._offsets[light] = (x, y, z)
        self._actions.set_offset(light, (x, y, z))

    def _reset(self) -> None:
        count = len(self._original.lights)
        self._chroma = [_chroma(light.radiance) for light in self._original.lights]
        self._strength, self._offsets, self._materials = [1.0] * count, [(0.0, 0.0, 0.0)] * count, {}
        self._show_light()
        if self._original.surfaces:
            self._show_material(self._part.value)
        self._actions.reset_scene()

    def _material(self) -> None:
        names = list(self._original.surfaces)[:MAX_LISTED_PARTS]
        first = self._original.material(names[0])
        with self._gui.add_folder("Material", expand_by_default=False):
            self._part: Control = self._gui.add_dropdown("Object", names)
            self._diffuse: Control = self._gui.add_rgb("Diffuse", _to_rgb(first.diffuse))
            self._specular: Control = self._gui.add_rgb("Specular", _to_rgb(first.specular))
            self._roughness: Control = self._gui.add_slider("Roughness", 0.0, 1.0, 0.01, round(first.roughness, 2))
        self._when(self._part, lambda: self._show_material(self._part.value))
        self._when(self._diffuse, lambda: self._change_material(diffuse=_from_rgb(self._diffuse.value)))
        self._when(self._specular, lambda: self._change_material(specular=_from_rgb(self._specular.value)))
        self._when(self._roughness, lambda: self._change_material(roughness=float(self._roughness.value)))

    def _present_material(self, part: str) -> Material:
        return self._materials.get(part) or self._original.material(part)

    def _show_material(self, part: str) -> None:
        material = self._present_material(part)
        self._diffuse.value, self._specular.value = _to_rgb(material.diffuse), _to_rgb(material.specular)
        self._roughness.value = round(material.roughness, 2)

    def _change_material(
        self, diffuse: Triple | None = None, specular: Triple | None = None, roughness: float | None = None
    ) -> None:
        part = str(self._part.value)
        old = self._present_material(part)
        new = Material(
            old.diffuse if diffuse is None else diffuse,
            old.specular if specular is None else specular,
            old.roughness if roughness is None else roughness,
        )
        self._materials[part] = new
        self._actions.set_material(part, new)

    def _comparison(self, comparisons: Sequence[str]) -> None:
        with self._gui.add_folder("Compare"):
            choice = self._gui.add_dropdown("With", [NOTHING, *comparisons], hint="Right of the wipe.")
            wipe = self._gui.add_slider("Wipe", 0.0, 1.0, 0.005, self._settings.wipe)
            model = self._gui.add_text("Model", "", hint=f"For '{OTHER_MODEL}': a folder or a Hugging Face id.")
            keys = self._gui.add_number("Keys", 256, min=1, max=65536, step=1, hint="For nearfar: keys per triangle.")

        def compare() -> None:
            self._actions.compare(str(choice.value), str(model.value), int(keys.value))

        for control in (choice, model, keys):
            self._when(control, compare)
        self._when(wipe, lambda: self._change(wipe=float(wipe.value)))

    def _saving(self, scene_file: str | None) -> None:
        with self._gui.add_folder("Save", expand_by_default=False):
            picture = self._gui.add_button("Save picture", hint="What is seen, as PNG and EXR.")
            self._when_by(picture, self._actions.save_picture)
            if scene_file:
                scene = self._gui.add_button("Save scene", hint=f"With all changes and cameras, as {scene_file}.")
                self._when_by(scene, self._actions.save_scene)
            frames = self._gui.add_number("Frames", 96, min=2, max=9999, step=1)
            fps = self._gui.add_number("Frames per second", 24, min=1, max=120, step=1)
            video = self._gui.add_button("Save video", hint="From camera to camera, in their order.")

        def save(client: viser.ClientHandle) -> None:
            self._actions.save_video(client, int(frames.value), float(fps.value))

        self._when_by(video, save)

    def _change(
        self,
        resolution: int | None = None,
        exposure: float | None = None,
        tone_mapping: str | None = None,
        wipe: float | None = None,
    ) -> None:
        old = self._settings
        display = type(old.display)(
            old.display.exposure if exposure is None else exposure,
            old.display.tone_mapping if tone_mapping is None else tone_mapping,
        )
        self._settings = Settings(
            old.resolution if resolution is None else resolution, display, old.wipe if wipe is None else wipe
        )
        self._actions.set_settings(self._settings)

    def _when(self, control: Control, act: Callable[[], None]) -> None:
        """Act when a user, and not this program, changes a control or presses a button."""
        self._when_by(control, lambda _: act())

    @staticmethod
    def _when_by(control: Control, act: Callable[[viser.ClientHandle], None]) -> None:
        """The same for actions that need to know in which window."""

        def changed(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                act(event.client)

        if isinstance(control, viser.GuiButtonHandle):
            control.on_click(changed)
        else:
            control.on_update(changed)


def _camera_names(cameras: int) -> list[str]:
    return [f"camera {number}" for number in range(cameras)]


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number where one occurs twice."""
    return [name if names.count(name) == 1 else f"{name} ({index})" for index, name in enumerate(names)]


def _chroma(radiance: Triple) -> Triple:
    """The radiance divided by its largest channel."""
    peak = max(radiance)
    r, g, b = (channel / peak if peak > 0 else 1.0 for channel in radiance)
    return r, g, b


def _to_rgb(linear: Triple) -> tuple[int, int, int]:
    """sRGB 0..255 of a linear colour 0..1."""
    r, g, b = (round(255 * float(value)) for value in srgb_encode(np.array(linear)))
    return r, g, b


def _from_rgb(encoded: Sequence[int]) -> Triple:
    """Linear colour 0..1 of sRGB 0..255 (IEC 61966-2-1)."""
    values = np.array(encoded, dtype=np.float64) / 255
    r, g, b = (float(v) for v in np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4))
    return r, g, b
