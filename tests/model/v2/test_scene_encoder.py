"""From scenes to inputs and images: mappers, the autoencoder with random weights, checkpoints with all parts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import rfcli
from rfcli.errors import InputError
from rfcli.model.hub import locate
from rfcli.model.v2 import RenderFormerV2, read_scene_encoder
from rfcli.model.v2.mappers import SHAPES, read_mapper
from rfcli.model.v2.textures import encoded_patches
from rfcli.model.v2.vae import QwenImageVAE, load_vae
from tests.support.model_official import ROOT
from tests.support.v2_encoder import random_autoencoder, random_mapper, write_v2_checkpoint

SCENE = ROOT / "examples" / "cornell-box.json"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_v2_checkpoint(tmp_path_factory.mktemp("v2"))


def test_latents_are_means_of_the_posterior_of_single_frames() -> None:
    images = 2 * torch.rand(3, 3, 32, 64, generator=torch.Generator().manual_seed(0)) - 1
    latents = QwenImageVAE(random_autoencoder())(images)
    assert latents.shape == (3, 16, 4, 8)
    with torch.no_grad():
        moments = torch.cat([random_autoencoder()._encode(image[None, :, None]) for image in images])[:, :, 0]
    assert torch.allclose(latents, moments[:, :16], atol=1e-5)


def test_autoencoder_is_read_from_a_folder_or_its_subfolder(checkpoint: Path) -> None:
    images = torch.zeros(1, 3, 16, 16)
    expected = QwenImageVAE(random_autoencoder())(images)
    for folder in (checkpoint, checkpoint / "vae"):
        assert torch.equal(load_vae(str(folder))(images), expected)


@pytest.mark.parametrize("name", ["no such folder", "/nowhere/vae"])
def test_missing_autoencoder_is_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match="neither a folder nor a Hugging Face id"):
        load_vae(name)


def test_folder_without_autoencoder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not hold Qwen-Image's autoencoder"):
        load_vae(str(tmp_path))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("gaps", [1, 2])
def test_mappers_equal_their_formula(kind: str, gaps: int, tmp_path: Path) -> None:
    """gaps = 2: layers without weights between them are numbered too."""
    state = random_mapper(kind).state_dict()
    layers = len(state) // 2
    renamed = {
        f"layers.{gaps * i}.{what}": state[f"layers.{i}.{what}"] for i in range(layers) for what in ("weight", "bias")
    }
    save_file(renamed, tmp_path / "model.safetensors")
    x = torch.rand(5, SHAPES[kind][0], generator=torch.Generator().manual_seed(1))
    expected = x.numpy()
    for i in range(layers):
        expected = expected @ state[f"layers.{i}.weight"].numpy().T + state[f"layers.{i}.bias"].numpy()
        expected = np.tanh(expected) if i == layers - 1 else np.maximum(expected, 0)
    with torch.no_grad():
        assert np.allclose(read_mapper(tmp_path, kind)(x).numpy(), expected, atol=1e-6)


def test_mapper_of_another_kind_is_refused(checkpoint: Path) -> None:
    with pytest.raises(InputError, match="not a mapper of metallic materials"):
        read_mapper(checkpoint / "diffspec_mapper", "metallic")


@pytest.mark.slow
def test_scene_becomes_the_inputs_of_its_parts(checkpoint: Path) -> None:
    scene, encoder = rfcli.load_scene(SCENE), read_scene_encoder(checkpoint)
    model = rfcli.load_model(str(checkpoint), device="cpu")
    assert isinstance(model, RenderFormerV2)
    inputs = encoder.inputs(scene, model.config)
    emission = torch.from_numpy(scene.material[:, 10:])
    assert torch.allclose(inputs["light_strength"][0], torch.log10(1 + emission))
    for triangle in (0, len(scene) - 1):
        parameters = torch.from_numpy(scene.material[triangle, :7])
        patch = torch.zeros(1, 16, 32, 32)
        with torch.no_grad():
            patch[0, :9] = random_mapper("diffspec")(parameters)[:, None, None]
        patch[0, 11] = 1
        assert torch.allclose(inputs["texture"][0, triangle], encoded_patches(patch, encoder.vae)[0], atol=1e-5)
    textured = torch.rand(1, 16, 32, 32).expand(len(scene), -1, -1, -1)
    again = encoder.inputs(scene, model.config, textured, environment=torch.ones(3, 8, 16))
    assert torch.allclose(again["texture"][0, 3], encoded_patches(textured[:1], encoder.vae)[0], atol=1e-5)
    assert again["env_lighting_strength"].item() == pytest.approx(np.log10(2))


@pytest.mark.slow
def test_scenes_render_alone_as_together(checkpoint: Path) -> None:
    model = rfcli.load_model(str(checkpoint), device="cpu")
    assert isinstance(model, RenderFormerV2)
    scene = rfcli.load_scene(SCENE)
    with pytest.raises(InputError, match="set its `scene_encoder`"):
        model.render(scene, resolution=64)
    model.scene_encoder = read_scene_encoder(checkpoint)
    smaller = rfcli.TriangleScene(scene.triangles[:40], scene.vn[:40], scene.material[:40], scene.c2w, scene.fov)
    batch = model.batch_of([scene, smaller])
    c2w, fov = torch.from_numpy(np.stack([scene.c2w] * 2)), torch.from_numpy(np.stack([scene.fov] * 2))
    with torch.no_grad():
        together = model.decode(model(batch, c2w, fov, 64))
    for index, one in enumerate((scene, smaller)):
        assert (model.render(one, resolution=64) - together[index]).abs().max() < 1e-4 * together.max()


def test_subfolder_of_a_repository_is_found(tmp_path: Path) -> None:
    folder = write_v2_checkpoint(tmp_path / "published", "transformer_512")
    assert locate(str(folder)) == folder / "transformer_512"
    assert set(read_scene_encoder(locate(str(folder))).mappers) == set(SHAPES)


def test_checkpoint_without_mappers_or_autoencoder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="diffspec_mapper"):
        read_scene_encoder(tmp_path / "model")
    folder = write_v2_checkpoint(tmp_path / "whole")
    (folder / "vae").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="give `vae` Qwen/Qwen-Image"):
        read_scene_encoder(folder)
    assert read_scene_encoder(folder, str(tmp_path / "elsewhere")).mappers
