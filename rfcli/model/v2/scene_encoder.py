"""From scenes to the inputs of a RenderFormer-V2 that reads latents, with the autoencoder and the material mappers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rfcli.errors import InputError
from rfcli.model.v2.batch import V2Batch
from rfcli.model.v2.config import RenderFormerV2Config
from rfcli.model.v2.environment import environment_inputs
from rfcli.model.v2.mappers import SHAPES, MaterialMapper, read_mapper
from rfcli.model.v2.textures import SIDE, encoded_patches, light_strength, raw_patches
from rfcli.model.v2.vae import FOLDER, ImageEncoder, load_vae
from rfcli.model.v2.volumes import Cloud, volume_inputs
from rfcli.scene import EMISSION, TriangleScene

PARAMETERS = slice(0, 7)  # of a material: diffuse and specular colour, roughness


@dataclass(frozen=True)
class SceneEncoder:
    """Makes the network's inputs.

    Attributes:
        vae: The autoencoder of textures and environment maps.
        mappers: The material mappers by kind; diffspec is needed.
    """

    vae: ImageEncoder
    mappers: Mapping[str, MaterialMapper]

    def batch(self, scenes: Sequence[TriangleScene], config: RenderFormerV2Config) -> V2Batch:
        """The inputs of B scenes.

        Args:
            scenes: At least one scene.
            config: The network's config.
        """
        inputs = [self.inputs(scene, config) for scene in scenes]
        return V2Batch.from_tensors({name: joined([one[name] for one in inputs]) for name in inputs[0]})

    @torch.no_grad()
    def inputs(
        self,
        scene: TriangleScene,
        config: RenderFormerV2Config,
        patches: Tensor | None = None,
        environment: Tensor | None = None,
        clouds: Sequence[Cloud] = (),
    ) -> dict[str, Tensor]:
        """The inputs of one scene, by the names of `V2Batch`.

        Args:
            scene: The triangles.
            config: The network's config.
            patches: [N, 16, 32, 32] texture of each triangle (`textures.py`); None: its constant material.
            environment: [3, H, W] radiance (`environment.py`); None: black, as in the published pipeline.
            clouds: Volumes.

        Raises:
            InputError: The network has no encoder of environment maps or volumes, or an array has another shape.
        """
        if environment is not None and not config.use_env_lighting:
            raise InputError("This model has no encoder of environment maps; leave the environment out.")
        if clouds and not config.use_volumes:
            raise InputError("This model has no encoder of volumes; leave the volumes out.")
        if patches is None:
            different, index = torch.unique(torch.from_numpy(scene.material), dim=0, return_inverse=True)
            patches = self.constant_patches(different)
        else:
            if tuple(patches.shape) != (len(scene), 16, SIDE, SIDE):
                raise InputError(f"`patches` has shape {list(patches.shape)}, expected {[len(scene), 16, SIDE, SIDE]}.")
            patches, index = torch.unique(patches, dim=0, return_inverse=True)
        return {
            "triangles": torch.from_numpy(scene.triangles)[None],
            "vn": torch.from_numpy(scene.vn)[None],
            "mask": torch.ones(1, len(scene), dtype=torch.bool),
            "texture": encoded_patches(patches, self.vae)[index][None],  # equal patches are encoded once
            "light_strength": light_strength(patches)[index][None],
            **(environment_inputs(environment, self.vae) if config.use_env_lighting else {}),
            **volume_inputs(clouds),
        }

    def constant_patches(self, material: Tensor) -> Tensor:
        """[n, 16, 32, 32] patches of constant materials [n, 13], with flat normals."""

        def filled(x: Tensor) -> Tensor:
            return x[:, :, None, None].expand(-1, -1, SIDE, SIDE)

        latents = self.mappers["diffspec"](material[:, PARAMETERS])
        return raw_patches(filled(latents), emission=filled(material[:, EMISSION]))


def joined(values: Sequence[Tensor]) -> Tensor:
    """[B, ...] of tensors [1, ...] of B scenes; the shorter ones are padded with zeros along their second axis."""
    if len({value.shape for value in values}) == 1:
        return torch.cat(list(values))
    return pad_sequence([value[0] for value in values], batch_first=True)


def read_scene_encoder(
    folder: Path, vae: str | None = None, notify: Callable[[str], None] = lambda sentence: None
) -> SceneEncoder:
    """The encoder of the scenes of a checkpoint.

    Args:
        folder: The checkpoint's folder. The mappers are in its subfolders `KIND_mapper`, or in those of its parent.
        vae: A folder or Hugging Face id of the autoencoder; None: the subfolder `vae` beside the mappers.
        notify: Called with a sentence that has the size, before a download starts.

    Returns:
        The encoder, on the CPU.

    Raises:
        InputError: A mapper or the autoencoder is missing or broken.
    """
    places = (folder, folder.parent)
    mappers = {}
    for kind in SHAPES:
        found = next((place for place in places if (place / f"{kind}_mapper").is_dir()), None)
        if found:
            mappers[kind] = read_mapper(found / f"{kind}_mapper", kind)
    if "diffspec" not in mappers:
        raise InputError(
            f"{folder} has no folder 'diffspec_mapper', which its textures need; copy the checkpoint again."
        )
    if vae is None:
        beside = next((place / FOLDER for place in places if (place / FOLDER).is_dir()), None)
        if beside is None:
            raise InputError(
                "This model reads latents of the autoencoder of Qwen/Qwen-Image; give `vae` Qwen/Qwen-Image, which "
                f"downloads it, or a folder that holds it, or copy it to {folder / FOLDER}."
            )
        vae = str(beside)
    return SceneEncoder(load_vae(vae, notify), mappers)
