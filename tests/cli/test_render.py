"""`rf render` on a scene of twenty triangles, and on what is not a scene."""

import json
import os
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import OpenEXR
import pytest

from rfcli.errors import InputError
from rfcli.images import read_exr, to_display
from rfcli.model import save_checkpoint
from tests.cli.conftest import Rf
from tests.model.scenes import small_model


def render(rf: Rf, *arguments: object) -> dict[str, Any]:
    result = rf("render", *arguments, "--json", "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_pictures_and_receipt(rf: Rf, scene: Path, model: Path) -> None:
    receipt = render(rf, scene, "--model", model, "--resolution", 16, "--out", "new/folder")
    names = ["heap-view0.png", "heap-view0.exr", "heap-view1.png", "heap-view1.exr"]
    assert receipt["outputs"] == [f"new/folder/{name}" for name in names]
    assert sorted(path.name for path in Path("new/folder").iterdir()) == sorted(names)
    linear = read_exr("new/folder/heap-view1.exr")
    assert linear.shape == (16, 16, 3)
    assert np.isfinite(linear).all()
    assert np.array_equal(imageio.imread("new/folder/heap-view1.png"), to_display(linear))

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


def test_another_attention_is_run_and_named_and_its_draws_follow_the_seed(rf: Rf, scene: Path, model: Path) -> None:
    options = ("--model", model, "--resolution", 16, "--view", 0)
    render(rf, scene, *options)
    softmax = read_exr("heap-view0.exr")
    receipt = render(rf, scene, *options, "--attention", "performer")
    assert receipt["model"]["attention"] == "performer"
    linear = read_exr("heap-view0.exr")
    assert not np.array_equal(linear, softmax)
    again = rf("render", scene, *options, "--attention", "performer")
    assert np.array_equal(read_exr("heap-view0.exr"), linear)
    assert "Warning: this model learned with sdpa; with performer it needs rf finetune" in again.stderr
    assert "Warning" not in rf("render", scene, *options, "--attention", "sdpa").stderr


def test_the_newest_run_is_the_default_and_is_named(rf: Rf, scene: Path, model: Path) -> None:
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


def test_the_model_says_at_which_resolution_it_is_at_home(rf: Rf, scene: Path, model: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    config = json.loads((model / "config.json").read_text())
    (own / "config.json").write_text(json.dumps({**config, "training_resolution": 24}))
    (own / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    assert {view["resolution"] for view in render(rf, scene, "--model", own)["views"]} == {24}


def test_alpha_goes_into_the_exr_and_not_into_the_png(rf: Rf, scene: Path, tmp_path: Path) -> None:
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
    ]


def test_preview_draws_or_says_what_is_missing(rf: Rf, scene: Path) -> None:
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
    """scene.json and m.obj in the current folder, with one thing wrong."""
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


def test_the_scene_of_the_next_test_is_right_but_for_what_is_wrong(rf: Rf, model: Path) -> None:
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
    refused(rf("render", scene, *use, "--attention", "nothing"), ["'nothing'", "sdpa"])
    refused(rf("render", scene, *use, "--out", "a-file"), ["a-file"])
    refused(rf("render", scene, *use, "--out", "a-file/b"), ["a-file/b"])
    refused(rf("render", scene, "heap.h5", *use), ["heap-view0", "--out"])
    refused(rf("render", scene, "--model", model, "--resolution", "33"), ["resolution 33", "8"])
    refused(rf("render", scene, "--model", "nowhere"), ["nowhere", "tiny"])


def test_checkpoints_that_do_not_fit(rf: Rf, scene: Path, model: Path, tmp_path: Path) -> None:
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


def test_the_sentence_is_an_input_error_of_the_library(scene: Path) -> None:
    import rfcli

    with pytest.raises(InputError, match="nowhere"):
        rfcli.load_model("nowhere")
