"""What windows show, in numbers: the pixels of `rf render` for the changed scene."""

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rfcli
from rfcli.model import RenderFormer
from rfcli.pictures.renderers import NetworkRenderer
from rfcli.scene import TriangleScene
from rfcli.viewer.cameras import WindowCamera
from rfcli.viewer.drawing import SceneDrawing, Settings, Shown
from rfcli.viewer.edits import EditableScene, Material, SceneEdits, one_light
from rfcli.viewer.network_pictures import Checks, NetworkPictures
from rfcli.viewer.path_traced_pictures import PATHS_PER_PASS, PathTracedPictures
from rfcli.viewer.render_loop import Interrupted
from tests.support.viewer_scenes import two_lamps

SIDE = 32


@pytest.fixture(scope="module")
def model() -> RenderFormer:
    return rfcli.load_model("tiny", device="cpu")


def one_lamp() -> TriangleScene:
    scene = two_lamps()
    return replace(scene, triangles=scene.triangles[:-2], vn=scene.vn[:-2], material=scene.material[:-2])


def rendered(model: RenderFormer, scene: TriangleScene) -> np.ndarray:
    """As `rf render` renders the first camera."""
    first = replace(scene, c2w=scene.c2w[:1], fov=scene.fov[:1])
    return next(NetworkRenderer("tiny", model).render(first, SIDE)).image


def camera_of(scene: TriangleScene, aspect: float = 1.0) -> WindowCamera:
    return WindowCamera(tuple(scene.c2w[0].reshape(-1).tolist()), float(scene.fov[0]), aspect)


class Window:
    """One window, and all that it was shown."""

    def __init__(self, model: RenderFormer, scene: TriangleScene, checks: Checks | None = None) -> None:
        self.camera = camera_of(scene)
        self.shown: list[Shown] = []
        self.pictures = NetworkPictures(NetworkRenderer("tiny", model), EditableScene.of(scene), checks)
        self.drawing = SceneDrawing(self.pictures, lambda view: self.camera, self._show, self._failed)
        self.drawing.settings = Settings(resolution=SIDE)

    def _show(self, view: Hashable, shown: Shown) -> None:
        self.shown.append(shown)

    def _failed(self, view: Hashable | None, error: Exception) -> None:
        raise error

    def edit(self, edits: SceneEdits) -> np.ndarray:
        """The final picture of the changed scene."""
        self.drawing.edits = edits
        self.drawing.final("a")
        return self.shown[-1].left


@pytest.mark.parametrize("scene", [one_lamp(), two_lamps()], ids=["one light", "two lights"])
@pytest.mark.parametrize(
    "edits",
    [
        SceneEdits(),
        SceneEdits().with_radiance(0, (3.0, 0.5, 9.0)),
        SceneEdits().with_offset(0, (0.05, 0.1, -0.1)),
        SceneEdits().with_material("material 1", Material((0.2, 0.8, 0.4), (0.3, 0.3, 0.3), 0.2)),
        SceneEdits()
        .with_material("material 2", Material((0.9, 0.1, 0.1), (0.0, 0.0, 0.0), 0.9))
        .with_radiance(0, (0, 2, 0)),
    ],
    ids=["unchanged", "radiance", "moved", "material", "material and radiance"],
)
def test_final_picture_is_that_of_rf_render(model: RenderFormer, scene: TriangleScene, edits: SceneEdits) -> None:
    expected = rendered(model, edits.apply(EditableScene.of(scene)))
    image = Window(model, scene).edit(edits)
    assert expected.max() > 0.01
    np.testing.assert_allclose(image, expected, rtol=2e-4, atol=2e-5)


def test_radiance_of_the_only_light_runs_no_stage(model: RenderFormer) -> None:
    layers: list[int] = []
    window = Window(model, one_lamp(), Checks(stage=lambda number, count, seconds: layers.append(number)))
    window.edit(SceneEdits())
    assert layers
    layers.clear()
    window.drawing.edits = SceneEdits().with_radiance(0, (1.0, 5.0, 2.0))
    assert window.drawing.coarse("a")  # at once, and final
    assert layers == []
    assert window.shown[-1].resolution == SIDE
    expected = rendered(model, window.drawing.edits.apply(window.pictures.original))
    np.testing.assert_allclose(window.shown[-1].left, expected, rtol=2e-4, atol=2e-5)


def test_while_a_radiance_changes_the_picture_is_the_sum_of_lights(model: RenderFormer) -> None:
    scene = two_lamps()
    original = EditableScene.of(scene)
    edits = SceneEdits().with_radiance(1, (4.0, 1.0, 0.5))
    picture = NetworkPictures(NetworkRenderer("tiny", model), original).draw(edits, camera_of(scene), SIDE, final=False)
    assert picture.summed == 2
    alone = [rendered(model, one_light(scene, original.lights, n, edits.radiance_of(original, n))) for n in (0, 1)]
    np.testing.assert_allclose(picture.image, alone[0] + alone[1], rtol=1e-3, atol=1e-4)


def test_light_that_is_off_leaves_the_other(model: RenderFormer) -> None:
    original = EditableScene.of(two_lamps())
    image = Window(model, two_lamps()).edit(SceneEdits().with_radiance(0, (0.0, 0.0, 0.0)))
    expected = rendered(model, one_light(original.scene, original.lights, 1, original.lights[1].radiance))
    np.testing.assert_allclose(image, expected, rtol=1e-4, atol=1e-5)
    assert not Window(model, one_lamp()).edit(SceneEdits().with_radiance(0, (0.0, 0.0, 0.0))).any()


@pytest.mark.parametrize("aspect", [2.0, 0.5])
def test_wide_and_high_windows_show_the_middle_of_a_square(model: RenderFormer, aspect: float) -> None:
    scene = two_lamps()
    window = Window(model, scene)
    window.camera = camera_of(scene, aspect)
    image = window.edit(SceneEdits())
    wider = replace(scene, fov=np.full(2, window.camera.square_fov, dtype=np.float32))
    expected = rendered(model, wider)
    kept = slice(SIDE // 4, -SIDE // 4)
    np.testing.assert_allclose(image, expected[kept] if aspect > 1 else expected[:, kept], rtol=1e-4, atol=1e-5)


def test_wipe_and_psnr_of_two_networks(model: RenderFormer) -> None:
    window = Window(model, two_lamps())
    other = rfcli.load_model("tiny-performer", device="cpu")
    window.drawing.right = NetworkPictures(NetworkRenderer("tiny-performer", other), window.pictures.original)
    window.edit(SceneEdits())
    shown = window.shown[-1]
    a, b = rendered(model, two_lamps()), rendered(other, two_lamps())
    assert shown.right is not None
    np.testing.assert_allclose(shown.right, b, rtol=1e-4, atol=1e-5)
    mapped = [np.clip(np.log2(1 + x.astype(np.float64)), 0, 1) for x in (a, b)]
    assert shown.psnr == pytest.approx(-10 * np.log10(((mapped[0] - mapped[1]) ** 2).mean()), abs=0.01)
    display, edge = window.drawing.settings.display, SIDE // 4
    pixels = shown.pixels(display, 0.25)
    np.testing.assert_array_equal(pixels[:, :edge], display.convert(shown.left)[:, :edge])
    np.testing.assert_array_equal(pixels[:, edge + 1 :], display.convert(shown.right)[:, edge + 1 :])
    np.testing.assert_array_equal(shown.pixels(display, 1.0), display.convert(shown.left))
    np.testing.assert_array_equal(shown.linear(0.0), shown.right)
    assert [report.title for report in shown.reports] == ["tiny (sdpa)", "tiny-performer (performer)"]


def test_path_tracer_gets_better_with_its_paths(model: RenderFormer) -> None:
    from rfcli.truth import PathTracer

    scene = two_lamps()
    window = Window(model, scene)
    traced = window.drawing.right = PathTracedPictures(window.pictures.original)
    window.edit(SceneEdits())
    first = window.shown[-1]
    for _ in range(15):
        assert window.drawing.refine("a")
    last = window.shown[-1]
    assert first.reports[1].effort == f"{PATHS_PER_PASS} paths per pixel"
    assert last.reports[1].effort == f"{16 * PATHS_PER_PASS} paths per pixel"
    truth = PathTracer(1024, denoise=False).render(replace(scene, c2w=scene.c2w[:1], fov=scene.fov[:1]), SIDE)[0]
    errors = [np.abs(np.log1p(shown.right) - np.log1p(truth)).mean() for shown in (first, last)]
    assert errors[1] < 0.7 * errors[0]
    window.edit(SceneEdits().with_offset(0, (0.1, 0.0, 0.0)))
    assert window.shown[-1].reports[1].effort == f"{PATHS_PER_PASS} paths per pixel"  # the changed scene starts anew
    traced.forget("a")
    assert not window.drawing.refine("a")


def test_outdated_final_picture_is_not_shown(model: RenderFormer) -> None:
    """A scene changed while its final picture is drawn: that picture is dropped."""
    newer = SceneEdits().with_offset(0, (0.2, 0.0, 0.0))

    def change() -> None:
        window.drawing.edits = newer

    window = Window(model, two_lamps(), Checks(view=change))
    window.drawing.final("a")
    assert window.shown == []
    window.drawing.final("a")
    assert window.shown[-1].edits == newer


@pytest.mark.parametrize("where", ["stage", "view"])
def test_picture_is_given_up_between_layers(model: RenderFormer, where: str) -> None:
    stopped = True

    def check(*_: object) -> None:
        if stopped:
            raise Interrupted

    window = Window(model, two_lamps(), Checks(**{where: check}))
    with pytest.raises(Interrupted):
        window.drawing.final("a")
    assert window.shown == []
    stopped = False
    np.testing.assert_allclose(window.edit(SceneEdits()), rendered(model, two_lamps()), rtol=1e-4, atol=1e-5)
    assert not any(module._forward_pre_hooks for module in model.modules())  # nothing is left on the user's model


def test_coarse_pictures_adapt_to_the_machine(model: RenderFormer, monkeypatch: pytest.MonkeyPatch) -> None:
    from rfcli.viewer import drawing

    window = Window(model, two_lamps())
    window.drawing.settings = Settings(resolution=128)
    monkeypatch.setattr(drawing, "FAST_SECONDS", 1e9)
    monkeypatch.setattr(drawing, "SLOW_SECONDS", 1e9)
    for expected in (64, 96, 128, 128):
        window.drawing.coarse("a")
        assert window.shown[-1].resolution == expected
    monkeypatch.setattr(drawing, "FAST_SECONDS", 0.0)
    monkeypatch.setattr(drawing, "SLOW_SECONDS", 0.0)
    for expected in (128, 96, 64, 64):
        window.drawing.coarse("a")
        assert window.shown[-1].resolution == expected


def test_scene_file_of_the_examples(model: RenderFormer) -> None:
    """A scene with named objects, of which one material changes."""
    path = Path("examples/cornell-box.json")
    scene = rfcli.load_scene(path)
    original = EditableScene.of(scene, path)
    edits = SceneEdits().with_material(original.surfaces[0], Material((0.1, 0.1, 0.8), (0.0, 0.0, 0.0), 1.0))
    pictures = NetworkPictures(NetworkRenderer("tiny", model), original)
    image = pictures.draw(edits, camera_of(scene), SIDE, final=True).image
    np.testing.assert_allclose(image, rendered(model, edits.apply(original)), rtol=2e-4, atol=2e-5)
