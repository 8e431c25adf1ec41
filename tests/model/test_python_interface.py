"""The interface in Python: `rfcli.load_model`, `model.render`, `from_pretrained`, `save_pretrained`, lazy imports."""

import dataclasses
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import rfcli
from rfcli.errors import InputError
from rfcli.model import RenderFormer
from rfcli.scene import TriangleScene
from tests.support.model_scenes import cameras, random_scene, small_model

RESOLUTION = 16


def as_tensors(scene: TriangleScene) -> dict[str, torch.Tensor]:
    """The scene as arguments of `rfcli.render`, a batch of one."""
    names = ("triangles", "vn", "c2w", "fov", "material")
    return {name: torch.from_numpy(getattr(scene, name))[None] for name in names}


# `model.render`


@pytest.mark.parametrize("changes", [{}, {"channels": "apart", "light": "relative"}, {"visibility": "attention"}])
def test_render_of_a_scene_equals_render_of_its_tensors(changes: dict[str, object]) -> None:
    model, scene = small_model(**changes), random_scene(views=3)
    images = model.render(scene, resolution=RESOLUTION)
    assert images.shape == (3, RESOLUTION, RESOLUTION, 3)
    assert images.device.type == "cpu"
    assert not images.requires_grad
    assert torch.equal(images, rfcli.render(model, **as_tensors(scene), resolution=RESOLUTION)[0])


def test_render_in_bf16_equals_render_of_tensors_in_bf16() -> None:
    model, scene = small_model(), random_scene()
    images = model.render(scene, resolution=RESOLUTION, precision="bf16")
    expected = rfcli.render(model, **as_tensors(scene), resolution=RESOLUTION, precision="bf16")[0]
    assert torch.equal(images, expected)
    assert not torch.equal(images, model.render(scene, resolution=RESOLUTION))


def test_render_of_several_scenes_is_a_list() -> None:
    model, scenes = small_model(), [random_scene(7, views=1, seed=1), random_scene(15, views=2, seed=2)]
    images = model.render(scenes, resolution=RESOLUTION)
    assert isinstance(images, list)
    assert [len(views) for views in images] == [1, 2]
    for views, scene in zip(images, scenes, strict=True):
        assert torch.equal(views, model.render(scene, resolution=RESOLUTION))
    assert len(model.render(tuple(scenes), resolution=RESOLUTION)) == 2
    assert model.render([], resolution=RESOLUTION) == []


@pytest.mark.parametrize("views", [[1], [2, 0], [-1], range(2), (1, 1), np.array([0, 2])], ids=str)
def test_views_select_cameras_in_their_order(views: object) -> None:
    model, scene = small_model(), random_scene(views=3)
    chosen = model.render(scene, resolution=RESOLUTION, views=views)  # type: ignore[call-overload]
    expected = model.render(scene, resolution=RESOLUTION)[np.array(views)]
    torch.testing.assert_close(chosen, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["arrays", "float64 arrays", "tensors", "lists"])
def test_cameras_replace_those_of_the_scene(kind: str) -> None:
    model, scene = small_model(), random_scene(views=1)
    c2w, fov = (array[0].numpy() for array in cameras(views=3))
    convert = {
        "arrays": lambda array: array,
        "float64 arrays": lambda array: array.astype(np.float64),
        "tensors": torch.from_numpy,
        "lists": lambda array: array.tolist(),
    }[kind]
    images = model.render(scene, resolution=RESOLUTION, cameras=(convert(c2w), convert(fov)))
    expected = model.render(dataclasses.replace(scene, c2w=c2w, fov=fov), resolution=RESOLUTION)
    assert torch.equal(images, expected)
    second = model.render(scene, resolution=RESOLUTION, cameras=(convert(c2w), convert(fov)), views=[1])
    torch.testing.assert_close(second, expected[1:2], rtol=1e-5, atol=1e-6)


def test_render_leaves_the_scene_unchanged() -> None:
    model, scene = small_model(), random_scene()
    before = {name: array.copy() for name, array in vars(scene).items()}
    model.render(scene, resolution=RESOLUTION)
    assert all(np.array_equal(array, before[name]) for name, array in vars(scene).items())


EYE, FOV = np.eye(4, dtype=np.float32), np.float32(40)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 12}, "`resolution` 12 must be a multiple of 8"),
        ({"resolution": 0}, "`resolution` 0 must be a multiple of 8"),
        ({"resolution": -8}, "`resolution` -8 must be a multiple of 8"),
        ({"views": []}, r"`views` \[\] must be indices of cameras from 0 to 1"),
        ({"views": [0, 2]}, r"`views` \[0, 2\] must be indices of cameras from 0 to 1"),
        ({"views": [-3]}, r"`views` \[-3\]"),
        ({"precision": "fp16"}, "`precision` 'fp16' is not known"),
        ({"cameras": (EYE, FOV)}, r"`cameras` must be a pair .* got shapes \[4, 4\] and \[\]"),
        ({"cameras": (EYE[None], FOV)}, r"`cameras`.* \[1, 4, 4\] and \[\]"),
        ({"cameras": (EYE[None], [FOV, FOV])}, r"`cameras`.* \[1, 4, 4\] and \[2\]"),
        ({"cameras": (EYE[None, :3], [FOV])}, r"`cameras`.* \[1, 3, 4\] and \[1\]"),
        ({"cameras": EYE[None]}, "`cameras` must be a pair .* got 1 values"),
        ({"cameras": np.stack([EYE, EYE])}, r"`cameras`.* \[4, 4\] and \[4, 4\]"),
    ],
)
def test_mistakes_name_their_argument(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_model().render(random_scene(), **{"resolution": RESOLUTION, **arguments})  # type: ignore[call-overload]


def test_scene_without_cameras_is_refused() -> None:
    scene = random_scene()
    empty = dataclasses.replace(scene, c2w=scene.c2w[:0], fov=scene.fov[:0])
    with pytest.raises(InputError, match="no cameras; give `cameras`"):
        small_model().render(empty, resolution=RESOLUTION)
    pair = (scene.c2w, scene.fov)
    images = small_model().render(empty, resolution=RESOLUTION, cameras=pair)
    assert torch.equal(images, small_model().render(scene, resolution=RESOLUTION))


def test_wrong_resolution_is_refused_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RenderFormer, "view_independent", lambda *_: pytest.fail("computed"))
    with pytest.raises(InputError, match="`resolution` 30"):
        small_model().render(random_scene(), resolution=30)


# `from_pretrained`, `save_pretrained`, `load_model`


def test_pretrained_bundled_model_renders() -> None:
    model = RenderFormer.from_pretrained("tiny")
    assert not model.training
    assert model.config == rfcli.load_model("tiny", device="cpu").config
    images = model.render(random_scene(views=1), resolution=RESOLUTION)
    assert images.isfinite().all()
    assert images.std() > 0


def test_saved_model_loads_with_equal_weights_and_config(tmp_path: Path) -> None:
    model = small_model(channels="apart", light="relative", attention="performer", rope_type="triangle_learned")
    model.save_pretrained(tmp_path / "a" / "b")
    loaded = RenderFormer.from_pretrained(tmp_path / "a" / "b")
    assert loaded.config == model.config
    state = loaded.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    scene = random_scene()
    assert torch.equal(loaded.render(scene, resolution=RESOLUTION), model.render(scene, resolution=RESOLUTION))


def test_saved_folder_has_the_layout_of_the_hugging_face_hub(tmp_path: Path) -> None:
    small_model().save_pretrained(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\n")  # metadata
    assert "license:" in card


def test_existing_model_card_is_kept(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# My model\n")
    small_model(seed=1).save_pretrained(tmp_path)
    small_model(seed=2).save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "# My model\n"
    loaded = RenderFormer.from_pretrained(tmp_path)
    assert torch.equal(loaded.tri_token, small_model(seed=2).tri_token)


@pytest.mark.parametrize(("attention", "warned"), [("performer", True), ("nearfar", False), ("sdpa", False)])
def test_attention_is_replaced_with_a_warning_if_it_needs_training(
    tmp_path: Path, attention: str, warned: bool
) -> None:
    softmax = small_model()
    softmax.save_pretrained(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = RenderFormer.from_pretrained(tmp_path, attention=attention)
    assert model.config == dataclasses.replace(softmax.config, attention=attention)
    assert [str(each.message) for each in caught if issubclass(each.category, UserWarning)] == (
        ["this model was trained with sdpa; with performer its images will be wrong until it is fine-tuned"] * warned
    )
    state = model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in softmax.state_dict().items())


@pytest.mark.parametrize("load", [rfcli.load_model, RenderFormer.from_pretrained])
def test_errors_name_arguments_and_not_options(load: object) -> None:
    assert callable(load)
    with pytest.raises(InputError, match="`device` 'gpu' is not known; use 'auto', 'cpu', 'cuda' or 'mps'") as caught:
        load("tiny", device="gpu")
    assert "--" not in str(caught.value)
    with pytest.raises(InputError, match="Unknown attention 'softmux'") as caught:
        load("tiny", attention="softmux", device="cpu")
    assert "--" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_missing_device_is_named() -> None:
    with pytest.raises(InputError, match="`device` 'cuda' is not available on this machine; use 'cpu'"):
        rfcli.load_model("tiny", device="cuda")


# Lazy imports


def test_importing_rfcli_imports_neither_torch_nor_numpy() -> None:
    code = """
import sys
import rfcli
assert rfcli.InputError.__name__ == "InputError"
heavy = {"torch", "numpy", "scipy", "h5py", "trimesh", "matplotlib", "pydantic"} & set(sys.modules)
assert not heavy, heavy
assert {"RenderFormer", "TriangleScene", "InputError"} <= set(rfcli.__all__)
assert rfcli.TriangleScene.__module__.startswith("rfcli.scene")
assert "numpy" in sys.modules and "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_exists() -> None:
    assert all(getattr(rfcli, name) is not None for name in rfcli.__all__)
    assert rfcli.RenderFormer is RenderFormer
    assert rfcli.TriangleScene is TriangleScene
    assert rfcli.InputError is InputError
    assert issubclass(InputError, ValueError)
    with pytest.raises(AttributeError, match="no attribute 'load_scenes'"):
        _ = rfcli.load_scenes  # type: ignore[attr-defined]
