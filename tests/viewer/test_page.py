"""The page in a real Chromium: what is shown, by mouse and by keyboard, and the numbers behind it."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rfcli
import rfcli.pictures
from rfcli.model import RenderFormer
from rfcli.pictures.renderers import NetworkRenderer
from rfcli.scene.ray_casting import ray_caster
from rfcli.viewer.drawing import Settings, Shown
from rfcli.viewer.edits import EditableScene, SceneEdits
from rfcli.viewer.viewer import Viewer
from tests.support.browser import chromium

pytestmark = pytest.mark.slow

SCENE = Path("examples/cornell-box.json")
SIDE = 32
TIMEOUT = 120_000  # milliseconds
HARMLESS = ("GPU stall due to ReadPixels", "THREE.Clock", "non-existent node /preview")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def model() -> RenderFormer:
    return rfcli.load_model("tiny", device="cpu")


@pytest.fixture
def viewer(model: RenderFormer, tmp_path: Path) -> Iterator[Viewer]:
    scene = rfcli.load_scene(SCENE)
    with Viewer(
        scene, NetworkRenderer("tiny", model), SCENE, Settings(SIDE), tmp_path, tmp_path / "saved.h5", port=8090
    ) as viewer:
        yield viewer


class Tab:
    """A browser's tab with the page; remembers messages of its console and all requests."""

    def __init__(
        self, browser: Any, viewer: Viewer, width: int = 900, height: int = 600, scheme: str = "light"
    ) -> None:
        self.viewer = viewer
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        known = set(viewer._windows)
        self.page.goto(viewer.url)
        self.wait(lambda: bool(set(viewer._windows) - known))
        self.view = next(iter(set(viewer._windows) - known))
        position = rfcli.load_scene(SCENE).c2w[0, :3, 3]
        camera = viewer._windows[self.view].client.camera
        self.wait(lambda: bool(np.allclose(camera.position, position, atol=1e-3)))  # the browser is at the first camera
        self.page.wait_for_timeout(1000)  # and the panel at the side
        self.wait_for_final()

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in HARMLESS):
            self.errors.append(message.text)

    def wait(self, condition: Callable[[], bool]) -> None:
        for _ in range(TIMEOUT // 100):
            if condition():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(self.page.inner_text("body"))

    @property
    def shown(self) -> Shown | None:
        return self.viewer._drawing.shown(self.view)

    def wait_for_final(self, edits: SceneEdits | None = None) -> Shown:
        """The picture once the camera rests, of the scene as it now is."""

        def ready() -> bool:
            shown, window = self.shown, self.viewer._windows.get(self.view)
            newest = shown is not None and window is not None and shown.camera == window.camera
            return newest and shown.final and (edits is None or shown.edits == edits)

        self.wait(ready)
        self.page.wait_for_timeout(700)  # until the browser has decoded and drawn it
        self.wait(ready)
        assert self.shown is not None
        return self.shown

    def canvas(self) -> np.ndarray:
        """What the browser shows, [H, W, 3]."""
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))

    def folder(self, name: str) -> None:
        self.page.get_by_text(name, exact=True).first.click()

    def number(self, label: str) -> Any:
        """The text field beside a label."""
        row = self.page.get_by_text(label, exact=True).first.locator("xpath=ancestor::*[.//input][1]")
        return row.locator("input:not([type=hidden])").last

    def status(self) -> str:
        return str(self.page.inner_text("body"))


@pytest.fixture
def tab(browser: Any, viewer: Viewer) -> Iterator[Tab]:
    tab = Tab(browser, viewer)
    yield tab
    assert tab.errors == []
    tab.context.close()


def rendered(model: RenderFormer, viewer: Viewer, shown: Shown) -> np.ndarray:
    """As `rf render` renders the changed scene through the window's camera, cropped to the window."""
    scene = shown.edits.apply(EditableScene.of(rfcli.load_scene(SCENE), SCENE))
    fov = np.array([shown.camera.square_fov], dtype=np.float32)
    changed = replace(scene, c2w=shown.camera.matrix[None], fov=fov)
    return shown.camera.crop(next(NetworkRenderer("tiny", model).render(changed, SIDE)).image)


def test_page_shows_the_picture_and_asks_no_other_machine(tab: Tab, model: RenderFormer) -> None:
    shown = tab.wait_for_final()
    np.testing.assert_allclose(shown.left, rendered(model, tab.viewer, shown), rtol=2e-4, atol=2e-5)
    scene = rfcli.load_scene(SCENE)
    np.testing.assert_allclose(shown.camera.matrix, scene.c2w[0], atol=1e-4)
    pixels = shown.pixels(tab.viewer._drawing.settings.display, 0.5)
    screen = tab.canvas()
    height = screen.shape[0]
    width = round(height * shown.camera.aspect)
    small = np.asarray(Image.fromarray(screen[:, :width]).resize(pixels.shape[1::-1], Image.Resampling.BOX))
    below = slice(SIDE // 3, None)  # viser's note about software rendering
    assert np.abs(small[below].astype(float) - pixels[below]).mean() < 12  # of 255; enlarged and reduced again
    assert "1,020 triangles" in tab.status()
    local = ("http://localhost", "ws://localhost", "blob:http://localhost", "data:")
    assert [url for url in tab.requests if not url.startswith(local)] == []


def test_dragging_and_keys_move_the_camera(tab: Tab, model: RenderFormer) -> None:
    before = tab.wait_for_final()
    picture = tab.canvas()
    tab.page.mouse.move(250, 300)
    tab.page.mouse.down()
    tab.page.mouse.move(310, 310, steps=4)
    tab.page.mouse.up()
    tab.wait(lambda: tab.shown is not None and tab.shown.camera != before.camera)
    after = tab.wait_for_final()
    assert np.abs(tab.canvas().astype(float) - picture)[:, :400].mean() > 2
    np.testing.assert_allclose(after.left, rendered(model, tab.viewer, after), rtol=2e-4, atol=2e-5)
    tab.page.keyboard.down("w")
    tab.page.wait_for_timeout(300)
    tab.page.keyboard.up("w")
    tab.wait(lambda: tab.shown is not None and tab.shown.camera != after.camera)
    walked = tab.wait_for_final().camera.matrix
    step = walked[:3, 3] - after.camera.matrix[:3, 3]
    forward = -after.camera.matrix[:3, 2]
    assert step @ forward > 0.9 * np.linalg.norm(step) > 0


def test_strength_and_position_of_a_light(tab: Tab, model: RenderFormer) -> None:
    first = tab.wait_for_final()
    field = tab.number("Strength")
    field.fill("2")
    field.press("Enter")
    radiance = rfcli.load_scene(SCENE).material[EditableScene.of(rfcli.load_scene(SCENE), SCENE).lights[0].triangles[0]]
    tab.wait(lambda: bool(tab.viewer._drawing.edits.radiance))
    edits = tab.viewer._drawing.edits
    assert edits == SceneEdits().with_radiance(0, tuple(2 * float(value) for value in radiance[10:]))
    brighter = tab.wait_for_final(edits)
    assert brighter.camera == first.camera
    np.testing.assert_allclose(brighter.left, rendered(model, tab.viewer, brighter), rtol=2e-4, atol=2e-5)
    move = (
        tab.page.get_by_text("Move", exact=True).first.locator("xpath=ancestor::*[.//input][1]").locator("input").first
    )
    move.fill("0.1")
    move.press("Enter")
    tab.wait(lambda: bool(tab.viewer._drawing.edits.offset))
    moved = tab.wait_for_final(edits.with_offset(0, (0.1, 0.0, 0.0)))
    np.testing.assert_allclose(moved.left, rendered(model, tab.viewer, moved), rtol=2e-4, atol=2e-5)
    assert "first stage" in tab.status()
    tab.page.get_by_text("Reset scene").click()
    again = tab.wait_for_final(SceneEdits())
    np.testing.assert_allclose(again.left, first.left, rtol=2e-4, atol=2e-5)


def test_click_tells_what_is_there(tab: Tab) -> None:
    shown = tab.wait_for_final()
    x, y = 250, 400
    tab.page.mouse.click(x, y)
    tab.wait(lambda: "Clicked" in tab.status())
    height, tangent = 600, np.tan(np.radians(shown.camera.fov) / 2)
    across = (2 * (x + 0.5) / (height * shown.camera.aspect) - 1) * tangent * shown.camera.aspect
    direction = shown.camera.matrix[:3, :3] @ np.array([across, (1 - 2 * (y + 0.5) / height) * tangent, -1.0])
    scene = rfcli.load_scene(SCENE)
    origin = shown.camera.matrix[None, :3, 3]
    triangle = int(ray_caster(scene.triangles).first_hits(origin, direction[None].astype(np.float32)).triangle[0])
    assert f"triangle {triangle:,} of {len(scene):,}" in tab.status()
    assert EditableScene.of(scene, SCENE).part_of(triangle) in tab.status()


def test_compare_with_the_path_tracer(tab: Tab) -> None:
    tab.page.get_by_text("With", exact=True).first.locator("xpath=ancestor::*[.//input][1]").locator(
        "input"
    ).first.click()
    tab.page.get_by_role("option", name="path tracer").click()
    tab.wait(lambda: tab.shown is not None and tab.shown.psnr is not None and "PSNR" in tab.status())
    tab.wait(lambda: tab.shown is not None and "16 paths" in tab.shown.reports[1].effort)
    shown = tab.shown
    assert shown is not None
    assert shown.right is not None
    assert shown.psnr is not None
    assert 15 < shown.psnr < 60
    wipe = tab.number("Wipe")
    wipe.fill("0")
    wipe.press("Enter")
    tab.wait(lambda: tab.viewer._drawing.settings.wipe == 0.0)


def test_files_are_saved(tab: Tab) -> None:
    tab.wait_for_final()
    tab.folder("Save")
    tab.page.get_by_text("Save picture").click()
    tab.wait(lambda: len(tab.viewer.saved) == 2)
    tab.folder("Cameras")
    tab.page.get_by_text("Add camera").click()
    tab.wait(lambda: len(tab.viewer._fov) == 2)
    tab.page.get_by_text("Save scene").click()
    tab.wait(lambda: len(tab.viewer.saved) == 3)
    scene = rfcli.load_scene(tab.viewer.saved[2])
    assert len(scene.c2w) == len(rfcli.load_scene(SCENE).c2w) + 1
    np.testing.assert_array_equal(rfcli.pictures.read_exr(tab.viewer.saved[1]), tab.shown.left)  # type: ignore[union-attr]


def test_error_in_a_view_is_shown_and_the_viewer_lives_on(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    from rfcli.viewer import network_pictures

    tab.wait_for_final()
    works = network_pictures.render_encoded

    def broken(*arguments: Any) -> Any:
        raise rfcli.InputError("this view is broken.")

    monkeypatch.setattr(network_pictures, "render_encoded", broken)
    tab.page.keyboard.press("ArrowLeft", delay=200)
    tab.wait(lambda: "this view is broken" in tab.status())
    monkeypatch.setattr(network_pictures, "render_encoded", works)
    tab.page.keyboard.press("ArrowLeft", delay=200)
    tab.wait_for_final()
    tab.wait(lambda: "Error: this view" not in tab.status())


def test_several_tabs_have_cameras_of_their_own_and_one_scene(tab: Tab, browser: Any) -> None:
    other = Tab(browser, tab.viewer, 500, 700)
    first = tab.wait_for_final()
    other.page.keyboard.press("ArrowRight", delay=300)
    other.wait(lambda: other.shown is not None and other.shown.camera.c2w != first.camera.c2w)
    other.wait_for_final()
    assert tab.wait_for_final().camera == first.camera
    field = other.number("Strength")
    field.fill("0.5")
    field.press("Enter")
    tab.wait(lambda: bool(tab.viewer._drawing.edits.radiance))
    edits = tab.viewer._drawing.edits
    assert tab.wait_for_final(edits).edits == other.wait_for_final(edits).edits
    assert other.errors == []
    other.context.close()
    tab.wait(lambda: set(tab.viewer._windows) == {tab.view})
    tab.page.keyboard.press("ArrowLeft", delay=200)
    tab.wait(lambda: tab.shown is not None and tab.shown.camera != first.camera)


@pytest.mark.parametrize("width", [390, 1280])
def test_window_of_a_phone_and_of_a_desk(browser: Any, viewer: Viewer, model: RenderFormer, width: int) -> None:
    tab = Tab(browser, viewer, width, 844)
    shown = tab.wait_for_final()
    assert shown.camera.aspect <= width / 844 + 0.01
    np.testing.assert_allclose(shown.left, rendered(model, viewer, shown), rtol=2e-4, atol=2e-5)
    assert tab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.errors == []
    tab.context.close()


def test_all_controls_are_reached_by_the_tab_key(tab: Tab) -> None:
    reached = set()
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        reached.add(
            tab.page.evaluate(
                "(e => e.innerText || e.getAttribute('aria-label') || e.closest('[class*=Input]')?.innerText || e.value"
                " || e.role || e.tagName)(document.activeElement)"
            )
        )
    assert "Reset scene" in reached
    assert len(reached) >= 8, reached
