"""`rf render` on a scene of twenty triangles, and on invalid input."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as imageio
import numpy as np
import OpenEXR
import pytest
import torch
import trimesh

from rfcli.metrics.scores import score
from rfcli.model import RenderFormer, save_checkpoint
from rfcli.pictures.animation import Frames
from rfcli.pictures.images import read_exr, to_display
from rfcli.scene import load
from rfcli.truth import PathTracer
from tests.cli.conftest import Rf
from tests.support.model_official import ROOT
from tests.support.model_scenes import small_model
from tests.support.v2_encoder import write_v2_checkpoint


def render(rf: Rf, *arguments: object) -> dict[str, Any]:
    result = rf("render", *arguments, "--json", "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_pictures_and_receipt(rf: Rf, scene: Path, model: Path) -> None:
    receipt = render(rf, scene, "--model", model, "--resolution", 16, "--out", "new/folder")
    names = ["heap-view0.png", "heap-view0.exr", "heap-view1.png", "heap-view1.exr", "contact-sheet.png"]
    assert receipt["outputs"] == [f"new/folder/{name}" for name in names]
    assert sorted(path.name for path in Path("new/folder").iterdir()) == sorted(names)
    linear = read_exr("new/folder/heap-view1.exr")
    assert linear.shape == (16, 16, 3)
    assert np.isfinite(linear).all()
    assert np.array_equal(imageio.imread("new/folder/heap-view1.png"), to_display(linear))
    sheet = imageio.imread("new/folder/contact-sheet.png")
    assert sheet.shape == (16 + 2 * 2, 2 * 16 + 3 * 2, 3)
    assert np.array_equal(sheet[2:18, 20:36], to_display(linear))

    assert (receipt["command"], receipt["device"]) == ("render", "cpu")
    assert receipt["model"]["name"] == str(model)
    assert receipt["model"]["attention"] == "sdpa"
    assert receipt["model"]["parameters"] > 0
    assert [(view["view"], view["triangles"], view["resolution"]) for view in receipt["views"]] == [
        (0, 20, 16),
        (1, 20, 16),
    ]
    for view in receipt["views"]:
        assert view["scene"] == str(scene)
        seconds = view["seconds"]
        assert seconds["view_independent"] > 0
        assert seconds["view_dependent"] > 0
        assert seconds["total"] == pytest.approx(seconds["view_independent"] + seconds["view_dependent"])


def test_views_are_cameras_of_the_scene(rf: Rf, scene: Path, model: Path) -> None:
    options = ("--model", model, "--resolution", 16)
    render(rf, scene, *options, "--out", "all")
    receipt = render(rf, scene, *options, "--out", "one", "--view", 1)
    assert receipt["outputs"] == ["one/heap-view1.png", "one/heap-view1.exr"]
    assert np.allclose(read_exr("one/heap-view1.exr"), read_exr("all/heap-view1.exr"), atol=1e-5)
    assert not np.allclose(read_exr("all/heap-view0.exr"), read_exr("all/heap-view1.exr"), atol=1e-5)


def test_exposure_changes_the_png_and_never_the_exr(rf: Rf, scene: Path, model: Path) -> None:
    options = ("--model", model, "--resolution", 16, "--view", 0)
    render(rf, scene, *options, "--out", "plain")
    render(rf, scene, *options, "--out", "bright", "--exposure", 3)
    linear = read_exr("bright/heap-view0.exr")
    assert np.array_equal(linear, read_exr("plain/heap-view0.exr"))
    assert np.array_equal(imageio.imread("bright/heap-view0.png"), to_display(linear, 3.0))


def test_tone_mapping_changes_the_png_and_never_the_exr(rf: Rf, scene: Path, model: Path) -> None:
    options = ("--model", model, "--resolution", 16, "--view", 0)
    render(rf, scene, *options)
    linear = read_exr("heap-view0.exr")
    for name in ("none", "agx", "filmic"):
        render(rf, scene, *options, "--tone-mapping", name, "--exposure", 2)
        assert np.array_equal(read_exr("heap-view0.exr"), linear)
        assert np.array_equal(imageio.imread("heap-view0.png"), to_display(linear, 2.0, name))


def test_another_attention_is_used_and_named(rf: Rf, scene: Path, model: Path) -> None:
    options = ("--model", model, "--resolution", 16, "--view", 0)
    render(rf, scene, *options)
    softmax = read_exr("heap-view0.exr")
    receipt = render(rf, scene, *options, "--attention", "performer")
    assert receipt["model"]["attention"] == "performer"
    linear = read_exr("heap-view0.exr")
    assert not np.array_equal(linear, softmax)
    repeated = rf("render", scene, *options, "--attention", "performer")
    assert np.array_equal(read_exr("heap-view0.exr"), linear)
    assert "Warning: this model was trained with sdpa; with performer its images will be wrong" in repeated.stderr
    assert "Warning" not in rf("render", scene, *options, "--attention", "sdpa").stderr


def test_nearfar_attention_uses_the_given_number_of_keys(rf: Rf, scene: Path, model: Path) -> None:
    options = ("--model", model, "--resolution", 16, "--view", 0)
    render(rf, scene, *options)
    softmax = read_exr("heap-view0.exr")
    receipt = render(rf, scene, *options, "--attention", "nearfar")
    assert receipt["model"]["attention"] == "nearfar"
    assert np.allclose(read_exr("heap-view0.exr"), softmax, atol=1e-5)  # exact up to 1,024 triangles
    few_keys = rf("render", scene, *options, "--attention", "nearfar", "--keys", 4)
    assert "Warning" not in few_keys.stderr  # needs no training
    approximate = read_exr("heap-view0.exr")
    assert not np.allclose(approximate, softmax, atol=1e-5)
    assert render(rf, scene, *options, "--keys", 4)["model"]["attention"] == "nearfar"  # implied by its option
    assert np.array_equal(read_exr("heap-view0.exr"), approximate)


def test_the_newest_run_is_the_default_model(rf: Rf, scene: Path, model: Path) -> None:
    for age, run in ((100, "runs/finetune"), (50, "runs/train")):
        Path(run).mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            Path(run, name).write_bytes((model / name).read_bytes())
        stamp = 1_700_000_000 - age
        os.utime(Path(run, "model.safetensors"), (stamp, stamp))
    result = rf("render", scene, "--resolution", "16")
    assert result.exit_code == 0, result.stderr
    assert "Model: runs/train (the newest run), sdpa attention" in result.stdout
    os.utime("runs/finetune/model.safetensors")
    assert render(rf, scene, "--resolution", 16)["model"]["name"] == "runs/finetune"


def test_the_default_resolution_is_that_of_the_training(rf: Rf, scene: Path, model: Path, tmp_path: Path) -> None:
    own = trained_at(24, model, tmp_path / "own")
    assert {view["resolution"] for view in render(rf, scene, "--model", own)["views"]} == {24}


def trained_at(resolution: int, model: Path, folder: Path) -> Path:
    """A copy of the checkpoint with this training resolution in its config."""
    folder.mkdir(parents=True)
    config = json.loads((model / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "training_resolution": resolution}))
    (folder / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    return folder


def test_alpha_is_written_to_the_exr_only(rf: Rf, scene: Path, tmp_path: Path) -> None:
    save_checkpoint(small_model(visibility="attention", include_alpha=True), tmp_path / "alpha", "# Alpha\n")
    render(rf, scene, "--model", tmp_path / "alpha", "--resolution", 16, "--view", 0)
    with OpenEXR.File("heap-view0.exr") as file:
        assert file.channels()["RGBA"].pixels.shape == (16, 16, 4)
    assert imageio.imread("heap-view0.png").shape == (16, 16, 3)


def test_several_scenes_in_one_run(rf: Rf, scene: Path, model: Path) -> None:
    Path("other.h5").write_bytes(scene.read_bytes())
    receipt = render(rf, scene, "other.h5", "--model", model, "--resolution", 16, "--view", 0)
    assert [Path(path).name for path in receipt["outputs"]] == [
        "heap-view0.png",
        "heap-view0.exr",
        "other-view0.png",
        "other-view0.exr",
        "contact-sheet.png",
    ]


def test_globs_folders_and_lists_of_views(rf: Rf, scene: Path, model: Path) -> None:
    for name in ("a/one.h5", "b/two.h5", "b/three.h5"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(scene.read_bytes())
    receipt = render(rf, "b", "a/o*.h5", "--model", model, "--resolution", 16, "--view", "1,0", "--out", "o")
    assert [(view["scene"], view["view"]) for view in receipt["views"]] == [
        (name, view) for name in ("b/three.h5", "b/two.h5", "a/one.h5") for view in (0, 1)
    ]
    assert imageio.imread("o/contact-sheet.png").shape == (2 * 16 + 3 * 2, 3 * 16 + 4 * 2, 3)


def test_the_contact_sheet_reduces_large_pictures(rf: Rf, scene: Path, model: Path) -> None:
    render(rf, scene, "--model", model, "--resolution", 264)
    assert imageio.imread("contact-sheet.png").shape == (256 + 2 * 2, 2 * 256 + 3 * 2, 3)
    assert imageio.imread("heap-view0.png").shape == (264, 264, 3)


def test_the_exr_header_describes_the_render(rf: Rf, scene: Path, model: Path) -> None:
    receipt = render(rf, scene, "--model", model, "--resolution", 16, "--view", 1)
    with OpenEXR.File("heap-view1.exr") as file:
        header = dict(file.header())
    assert header["model"] == f"{model} (sdpa)"
    assert (header["scene"], header["view"]) == ("heap.h5", "1")
    assert float(header["seconds"]) == pytest.approx(receipt["views"][0]["seconds"]["total"], abs=1e-3)


def test_the_scene_is_saved_in_the_official_format(rf: Rf, scene: Path, model: Path) -> None:
    receipt = render(rf, scene, "--model", model, "--resolution", 16, "--view", 1, "--save-scene", "saved.h5")
    assert receipt["outputs"][0] == "saved.h5"
    with h5py.File("saved.h5") as file:
        assert file["texture"].shape == (20, 13, 32, 32)
        assert file["c2w"].shape == (2, 4, 4)  # all cameras, independent of --view
    saved, before = load("saved.h5"), load(scene)
    assert np.array_equal(saved.triangles, before.triangles)
    assert np.allclose(saved.material, before.material, atol=1e-3)


def test_a_mesh_is_placed_on_a_backdrop(rf: Rf, model: Path) -> None:
    ball = trimesh.creation.icosphere(4)  # 5,120 faces
    Path("meshes").mkdir()
    ball.export("meshes/ball.obj")
    trimesh.creation.box().export("meshes/box.STL")
    receipt = render(rf, "meshes", "--model", model, "--resolution", 16, "--max-triangles", "2k")
    ball_view, box_view = sorted(receipt["views"], key=lambda view: -view["triangles"])
    assert ball_view["scene"] == "meshes/ball.obj"
    assert 1900 < ball_view["triangles"] <= 2048
    assert box_view["triangles"] == 12 + 257
    result = rf("render", "meshes", "--model", model, "--resolution", 16)
    assert "ball.obj: 5,120 faces decimated to" in result.stdout
    assert "box.STL: the mesh has only 12 faces" in result.stdout
    render(rf, "meshes/box.STL", "--model", model, "--resolution", 16, "--save-scene", "mesh.h5")
    assert len(load("mesh.h5")) == 12 + 257


def test_comparison_with_the_path_tracer(rf: Rf, scene: Path, model: Path) -> None:
    receipt = render(rf, scene, "--model", model, "--resolution", 16, "--compare", "truth", "--view", 1)
    assert receipt["outputs"] == ["heap-view1.png", "heap-view1.exr", "heap-view1-compare.png"]
    assert receipt["compared_with"].startswith("truth (64 paths")
    truth = PathTracer(64).render(replace(load(scene), c2w=load(scene).c2w[1:], fov=load(scene).fov[1:]), 16)[0]
    expected, _ = score(read_exr("heap-view1.exr"), truth)
    view = receipt["views"][0]
    assert (view["psnr"], view["ssim"], view["flip"]) == pytest.approx(
        (expected.psnr, expected.ssim, expected.flip), rel=1e-3
    )
    sheet = imageio.imread("heap-view1-compare.png")
    shown = to_display(truth).repeat(20, axis=0).repeat(20, axis=1)
    assert np.array_equal(sheet[24 : 24 + 320, 8 : 8 + 320], shown)


def test_comparison_with_another_model(rf: Rf, scene: Path, model: Path, tmp_path: Path) -> None:
    own = trained_at(24, model, tmp_path / "own")
    receipt = render(rf, scene, "--model", model, "--resolution", 16, "--compare", own)
    assert receipt["compared_with"] == f"{own} (sdpa)"
    for view in receipt["views"]:
        assert view["psnr"] == pytest.approx(100, abs=1e-3)  # the same weights; psnr is limited to 100 dB
        assert view["ssim"] == pytest.approx(1, abs=1e-5)
        assert view["flip"] == pytest.approx(0, abs=1e-5)


def test_an_orbit_computes_the_view_independent_stage_once(
    rf: Rf, scene: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    stage = RenderFormer.view_independent
    monkeypatch.setattr(RenderFormer, "view_independent", lambda self, batch: calls.append(1) or stage(self, batch))
    options = ("--model", model, "--resolution", 16)
    receipt = render(rf, scene, *options, "--camera-orbit", 5, "--fps", 10)
    assert receipt["outputs"] == ["heap-view0-orbit.mp4", "heap-view0-orbit.gif"]
    assert imageio.imread("heap-view0-orbit.mp4").shape == (5, 16, 16, 3)
    assert imageio.immeta("heap-view0-orbit.mp4")["fps"] == 10
    assert len(calls) == 1
    view = receipt["views"][0]
    assert (view["view"], view["frames"], view["drawn"], view["arc"]) == (0, 5, 5, 360)
    seconds = view["seconds"]
    assert seconds["total"] == pytest.approx(seconds["view_independent"] + seconds["view_dependent"])
    render(rf, scene, *options, "--view", 0)
    assert np.array_equal(imageio.imread("heap-view0-orbit-frames/frame-0000.png"), imageio.imread("heap-view0.png"))


def test_the_light_moves(rf: Rf, scene: Path, model: Path) -> None:
    options = ("--model", model, "--resolution", 16, "--view", "0,1")
    receipt = render(rf, scene, *options, "--turntable-light", "--camera-orbit", 3)
    assert receipt["outputs"][2:] == ["heap-view1-orbit-light.mp4", "heap-view1-orbit-light.gif"]
    alone = (scene, "--model", model, "--resolution", 8, "--turntable-light", "--out", "light")
    assert render(rf, *alone)["views"][0]["frames"] == 96
    frames = [imageio.imread(f"light/heap-view0-light-frames/frame-00{number}.png") for number in ("00", "48")]
    assert not np.array_equal(*frames)


def test_an_interrupted_video_resumes_from_its_frames(
    rf: Rf, scene: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (scene, "--model", model, "--resolution", 16, "--camera-orbit", 5)
    write = Frames.write

    def stop_at_three(self: Frames, frame: int, picture: Any) -> None:
        if frame == 3:
            raise KeyboardInterrupt
        write(self, frame, picture)

    with monkeypatch.context() as patch:
        patch.setattr(Frames, "write", stop_at_three)
        assert rf("render", *command).exit_code == 130
    kept = sorted(path.name for path in Path("heap-view0-orbit-frames").glob("*.png"))
    assert kept == ["frame-0000.png", "frame-0001.png", "frame-0002.png"]
    assert not Path("heap-view0-orbit.mp4").exists()
    assert render(rf, *command)["views"][0]["drawn"] == 2
    assert imageio.imread("heap-view0-orbit.mp4").shape[0] == 5
    assert render(rf, *command, "--fps", 12)["views"][0]["drawn"] == 0
    assert imageio.immeta("heap-view0-orbit.mp4")["fps"] == 12
    assert render(rf, *command, "--exposure", 1)["views"][0]["drawn"] == 5
    assert render(rf, *command, "--exposure", 1, "--arc", 30)["views"][0]["drawn"] == 5


def test_show_scene_lists_the_contents(rf: Rf, scene: Path) -> None:
    result = rf("render", scene, "--show-scene")
    assert result.exit_code == 0, result.stderr
    assert "heap.h5: 20 triangles" in result.stdout
    for word in ("material 1", "0.50 0.40 0.30", "radiance", "field of view", "40.0°"):
        assert word in result.stdout
    assert "Warning: Light triangles inside [-0.5, 0.5]^3: 1;" in result.stderr
    receipt = render(rf, scene, "--show-scene", "--save-scene", "saved.h5")
    assert receipt["outputs"] == ["saved.h5"]
    (shown,) = receipt["scenes"]
    assert shown["triangles"] == 20
    assert shown["parts"][0]["triangles"] == 19
    assert len(shown["cameras"]) == 2
    assert sorted(path.name for path in Path().iterdir()) == ["saved.h5"]


def test_precision_is_in_the_receipt_and_bf16_is_close_to_fp32(
    rf: Rf, scene: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--model", model, "--resolution", 16, "--view", 0)
    assert render(rf, scene, *options)["precision"] == "fp32"
    exact = read_exr("heap-view0.exr")
    assert render(rf, scene, *options, "--precision", "bf16")["precision"] == "bf16"
    rounded = read_exr("heap-view0.exr")
    assert not np.array_equal(rounded, exact)
    assert score(rounded, exact)[0].psnr > 50
    for fastest, name in ((torch.bfloat16, "bf16"), (torch.float32, "fp32")):
        monkeypatch.setattr("rfcli.model.rendering.fastest_precision", lambda device, fastest=fastest: fastest)
        assert render(rf, scene, *options, "--precision", "auto")["precision"] == name
        assert np.array_equal(read_exr("heap-view0.exr"), rounded if name == "bf16" else exact)
    unknown = rf("render", scene, *options, "--precision", "fp16")
    assert unknown.exit_code == 2
    assert "--precision" in unknown.stderr


def test_a_resolution_far_from_that_of_training_is_a_warning(rf: Rf, scene: Path, model: Path, tmp_path: Path) -> None:
    own = trained_at(24, model, tmp_path / "own")
    for resolution, far in ((16, False), (48, False), (56, True), (8, True)):
        result = rf("render", scene, "--model", own, "--resolution", resolution, "--view", 0)
        assert result.exit_code == 0, result.stderr
        assert ("24 pixels, which is far from" in result.stderr) is far


def test_preview_renders_or_names_the_missing_library(rf: Rf, scene: Path) -> None:
    result = rf("render", scene, "--preview", "--resolution", "32", "--json")
    if result.exit_code == 0:
        receipt = json.loads(result.stdout)
        assert "model" not in receipt
        assert all(view["seconds"]["total"] > 0 for view in receipt["views"])
        assert read_exr("heap-view0.exr").max() > 0
    else:
        assert result.exit_code == 2
        assert "OpenGL" in result.stderr
        assert "--preview" in result.stderr


SCENE = {
    "scene_name": "s",
    "version": "1.0",
    "objects": {
        "o": {
            "mesh_path": "m.obj",
            "transform": {
                "translation": [0, 0, 0],
                "rotation": [0, 0, 0],
                "scale": [1, 1, 1],
                "normalize": False,
            },
            "material": {
                "diffuse": [0.5, 0.5, 0.5],
                "specular": [0.1, 0.1, 0.1],
                "roughness": 0.5,
                "emissive": [0, 0, 0],
                "smooth_shading": False,
            },
        }
    },
    "cameras": [{"position": [0, -2, 0], "look_at": [0, 0, 0], "up": [0, 0, 1], "fov": 40}],
}
TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def broken_scene(kind: str) -> None:
    """Write scene.json and m.obj with one fault into the current folder."""
    description: dict[str, Any] = json.loads(json.dumps(SCENE))
    mesh = TRIANGLE
    if kind == "unknown field":
        description["colour"] = "red"
    elif kind == "no cameras":
        description["cameras"] = []
    elif kind == "no mesh":
        description["objects"]["o"]["mesh_path"] = "absent.obj"
    elif kind == "no faces":
        mesh = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
    elif kind == "NaN vertices":
        mesh = TRIANGLE.replace("v 1 0 0", "v nan 0 0")
    text = json.dumps(description)
    Path("scene.json").write_text(text[: len(text) // 2] if kind == "broken JSON" else text)
    Path("m.obj").write_text(mesh)


def test_the_unbroken_scene_of_the_next_test_is_valid(rf: Rf, model: Path) -> None:
    broken_scene("nothing")
    assert render(rf, "scene.json", "--model", model, "--resolution", 16)["views"][0]["triangles"] == 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("broken JSON", ["scene.json"]),
        ("unknown field", ["scene.json", "colour"]),
        ("no cameras", ["scene.json", "camera"]),
        ("no mesh", ["absent.obj"]),
        ("no faces", ["m.obj"]),
        ("NaN vertices", ["m.obj"]),
    ],
)
def test_bad_scenes(rf: Rf, model: Path, kind: str, words: list[str]) -> None:
    broken_scene(kind)
    refused(rf("render", "scene.json", "--model", model, "--resolution", "16"), words)


def refused(result: Any, words: list[str]) -> None:
    """One sentence, exit 2, and nothing written."""
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr
    assert not [path for path in Path().rglob("*") if path.suffix in (".png", ".exr")]


def test_bad_options(rf: Rf, scene: Path, model: Path, tmp_path: Path) -> None:
    use = ("--model", model, "--resolution", "16")
    (tmp_path / "a-file").write_text("")
    (tmp_path / "heap.h5").write_bytes(scene.read_bytes())
    refused(rf("render", "absent.json", *use), ["absent.json"])
    refused(rf("render", scene, "absent.json", *use), ["absent.json"])
    refused(rf("render", "a-file", *use), ["a-file", ".json"])
    refused(rf("render", scene, *use, "--view", "2"), ["--view 2", "2 cameras"])
    refused(rf("render", scene, *use, "--view", "0,2"), ["--view 2", "2 cameras"])
    refused(rf("render", scene, *use, "--view", "first"), ["--view", "'first'"])
    refused(rf("render", "*.nothing", *use), ["*.nothing"])
    refused(rf("render", "absent.obj", *use), ["absent.obj"])
    trimesh.creation.box().export("box.obj")
    refused(rf("render", "box.obj", *use, "--max-triangles", "300"), ["--max-triangles 300", "1024"])
    refused(rf("render", "box.obj", *use, "--max-triangles", "few"), ["--max-triangles", "'few'"])
    refused(rf("render", model, *use), ["config.json"])
    refused(rf("render", scene, "a-file", *use, "--save-scene", "s.h5"), ["a-file"])
    refused(rf("render", scene, *use, "--save-scene", "s.txt"), ["s.txt", ".h5"])
    refused(rf("render", scene, *use, "--save-scene", "no/s.h5"), ["no/s.h5", "folder"])
    refused(rf("render", scene, *use, "--tone-mapping", "sepia"), ["--tone-mapping", "sepia", "agx"])
    refused(rf("render", scene, *use, "--exposure", "nan"), ["--exposure nan"])
    refused(rf("render", scene, *use, "--compare", "nowhere"), ["nowhere", "tiny"])
    refused(rf("render", scene, *use, "--camera-orbit", "1"), ["--camera-orbit 1"])
    refused(rf("render", scene, *use, "--camera-orbit", "4", "--arc", "400"), ["--arc 400"])
    refused(rf("render", scene, *use, "--camera-orbit", "4", "--fps", "0"), ["--fps"])
    refused(rf("render", scene, *use, "--camera-orbit", "4", "--compare", "truth"), ["--compare"])
    refused(rf("render", scene, *use, "--attention", "nothing"), ["'nothing'", "sdpa"])
    refused(rf("render", scene, *use, "--attention", "sdpa", "--keys", "512"), ["--keys 512", "--attention nearfar"])
    refused(rf("render", scene, *use, "--attention", "nearfar", "--keys", "0"), ["--keys"])
    refused(rf("render", scene, *use, "--out", "a-file"), ["a-file"])
    refused(rf("render", scene, *use, "--out", "a-file/b"), ["a-file/b"])
    refused(rf("render", scene, "heap.h5", *use), ["heap-h5-view0", "--out"])
    refused(rf("render", scene, "--model", model, "--resolution", "33"), ["resolution 33", "8"])
    refused(rf("render", scene, "--model", model, "--resolution", "1032"), ["resolution 1032", "1024"])
    refused(rf("render", scene, "--model", "nowhere"), ["nowhere", "tiny"])


def test_invalid_checkpoints(rf: Rf, scene: Path, model: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    refused(rf("render", scene, "--model", bad), ["config.json"])
    config = json.loads((model / "config.json").read_text())
    (bad / "config.json").write_text(json.dumps({**config, "latent_dim": 96, "view_transformer_latent_dim": 96}))
    refused(rf("render", scene, "--model", bad), ["model.safetensors"])
    (bad / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    refused(rf("render", scene, "--model", bad), ["model.safetensors", "[1, 1, 48]", "[1, 1, 96]"])
    (bad / "model.safetensors").write_bytes(b"nonsense")
    refused(rf("render", scene, "--model", bad), ["model.safetensors"])


SINGLE_OPTIONS = [
    ("--attention", "nearfar"),
    ("--keys", 8),
    ("--feature-map", "favor"),
    ("--resolution", 24),
    ("--view", 1),
    ("--compare", "tiny"),
    ("--device", "cpu"),
    ("--max-triangles", "1k"),
    ("--up", "y"),
    ("--allow-outside",),
    ("--show-scene",),
    ("--exposure", -2),
    ("--tone-mapping", "agx"),
    ("--save-scene", "saved.h5"),
    ("--camera-orbit", 2),
    ("--fps", 30),
    ("--precision", "bf16"),
    ("--seed", 2**63 - 1),
]


@pytest.mark.parametrize("option", SINGLE_OPTIONS, ids=lambda option: option[0])
def test_every_option_works_with_the_defaults_of_all_others(
    rf: Rf, scene: Path, model: Path, option: tuple[object, ...]
) -> None:
    trained_at(16, model, Path("runs/train"))
    result = rf("render", scene, *option)
    assert result.exit_code == 0, result.stderr


def test_an_arc_alone_implies_an_orbit(rf: Rf, scene: Path, model: Path) -> None:
    trained_at(8, model, Path("runs/train"))
    (video,) = render(rf, scene, "--arc", 60)["views"]
    assert (video["frames"], video["arc"]) == (96, 60)


def test_compile_and_preview_exclude_each_other(rf: Rf, scene: Path) -> None:
    result = rf("render", scene, "--preview", "--compile")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "--compile" in result.stderr
    assert "--preview" in result.stderr


def test_a_file_that_cannot_be_read_does_not_stop_a_folder(rf: Rf, model: Path, tmp_path: Path) -> None:
    for name in ("a.obj", "a.ply"):
        trimesh.creation.box().export(tmp_path / name)
    (tmp_path / "torn.obj").write_text("v 0 0 0\nf 1 2 3\n")
    options = ["--model", model, "--resolution", 16, "--out", tmp_path / "out", "--device", "cpu"]
    result = rf("render", tmp_path, *options, "--json", "--quiet")
    assert result.exit_code == 1
    assert "torn.obj: line 2: vertex 2" in result.stderr
    receipt = json.loads(result.stdout)
    assert receipt["refused"] == [str(tmp_path / "torn.obj")]
    assert [Path(view["scene"]).name for view in receipt["views"]] == ["a.obj", "a.ply"]
    assert {"a-obj.png", "a-ply.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
    named = rf("render", tmp_path / "a.obj", tmp_path / "torn.obj", *options)
    assert named.exit_code == 2
    (tmp_path / "a.obj").unlink()
    (tmp_path / "a.ply").unlink()
    only = rf("render", tmp_path, *options)
    assert (only.exit_code, only.stderr.count("\n")) == (2, 1)
    assert "torn.obj: line 2: vertex 2" in only.stderr
    (tmp_path / "torn too.obj").write_text("v 0 0 0\nf 1 2 3\n")
    none = rf("render", tmp_path, *options)
    assert none.exit_code == 2
    assert "None of the 2 files can be read" in none.stderr


def test_the_line_about_the_vertical_axis_names_the_option(rf: Rf, model: Path, tmp_path: Path) -> None:
    trimesh.creation.icosphere().export(tmp_path / "ball.stl")
    options = ["--model", model, "--resolution", 16, "--out", tmp_path, "--device", "cpu"]
    result = rf("render", tmp_path / "ball.stl", *options)
    assert "ball.stl: z is taken as up, as usual in .stl files; --up y changes it." in result.stdout
    assert "taken as up" not in rf("render", tmp_path / "ball.stl", *options, "--up", "y").stdout


@pytest.mark.slow
def test_scene_file_becomes_a_picture_of_a_v2_model_that_reads_latents(rf: Rf, tmp_path: Path) -> None:
    folder = write_v2_checkpoint(tmp_path / "published", "transformer_512")
    scene = ROOT / "examples" / "cornell-box.json"
    given = rf("render", scene, "--model", folder, "--resolution", 64, "--json")
    assert given.exit_code == 0, given.output
    assert "its published training code to all tokens (--attention sdpa)" in given.stderr
    picture = read_exr("cornell-box.exr")
    assert np.isfinite(picture).all()
    (folder / "vae").rename(tmp_path / "vae")
    missing = rf("render", scene, "--model", folder, "--resolution", 64)
    assert missing.exit_code == 2
    assert "give --vae Qwen/Qwen-Image" in missing.stderr
    named = rf("render", scene, "--model", folder, "--resolution", 64, "--vae", tmp_path / "vae")
    assert named.exit_code == 0, named.output
    assert np.array_equal(read_exr("cornell-box.exr"), picture)
