"""Batches of scenes for RenderFormer-V2: triangles with textures, environment maps and volumes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from rfcli.errors import InputError
from rfcli.model.batch import EMISSION, SceneBatch

ENVIRONMENT = ("env_latent_ldr", "env_latent_hdr", "env_lighting_strength", "env_ray_dir")
VOLUME_COEFFICIENTS = ("density", "rotation", "scale", "scattering", "absorption")
VOLUMES = (*(f"volume_{name}" for name in VOLUME_COEFFICIENTS), "volume_position", "volume_mask")


@dataclass(frozen=True)
class V2Batch(SceneBatch):
    """B scenes of N triangles and M volume tokens each; shorter scenes are padded.

    `texture` is given, and not `material`: [B, N, C, P, P] what the texture encoder reads, latents in the published
    models, without emission. The fields below have the names of the transformer's inputs in the official code.

    Attributes:
        light_strength: [B, N, 3] log10(1 + emission).
        env_latent_ldr: [B, C', h, w] latents of the environment map clamped to 0..1; None: no environment tokens.
        env_latent_hdr: The same of its logarithm, scaled to 0..1.
        env_lighting_strength: [B] by which it was scaled.
        env_ray_dir: [B, H, W, 3] directions of the pixels of the environment map.
        volume_density: [B, M, 64] voxels of each volume token; None: no volumes.
        volume_position: [B, M, 3] its centre, world space.
        volume_rotation: [B, M, 3] Euler angles of its cloud, radians.
        volume_scale: [B, M, 3] scale of its cloud.
        volume_scattering: [B, M, 3] scattering coefficients of red, green and blue.
        volume_absorption: [B, M, 3] absorption coefficients.
        volume_mask: [B, M] True for real volume tokens.

    Raises:
        InputError: Shapes disagree, or inputs that belong together are not all given.
    """

    light_strength: Tensor | None = None
    env_latent_ldr: Tensor | None = None
    env_latent_hdr: Tensor | None = None
    env_lighting_strength: Tensor | None = None
    env_ray_dir: Tensor | None = None
    volume_density: Tensor | None = None
    volume_position: Tensor | None = None
    volume_rotation: Tensor | None = None
    volume_scale: Tensor | None = None
    volume_scattering: Tensor | None = None
    volume_absorption: Tensor | None = None
    volume_mask: Tensor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        scenes = len(self.mask)
        if self.light_strength is None or tuple(self.light_strength.shape) != (*self.mask.shape, 3):
            raise InputError(f"`light_strength` must have shape {[*self.mask.shape, 3]}.")
        for group in (ENVIRONMENT, VOLUMES):
            given = [name for name in group if getattr(self, name) is not None]
            if given and len(given) < len(group):
                missing = next(name for name in group if name not in given)
                raise InputError(f"`{given[0]}` needs `{missing}`, which is not given.")
            for name in given:
                if len(getattr(self, name)) != scenes:
                    raise InputError(
                        f"`{name}` is given for {len(getattr(self, name))} scenes, but there are {scenes}."
                    )
        if self.volume_mask is not None:
            for name in VOLUMES:
                if getattr(self, name).shape[:2] != self.volume_mask.shape:
                    shape = list(getattr(self, name).shape)
                    raise InputError(f"`{name}` has shape {shape}, expected {[*self.volume_mask.shape]} at its start.")

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "V2Batch":
        """A batch of the inputs of the official transformer.

        Args:
            tensors: The fields of this class by name; others are ignored. `mask` may be missing: all are real.

        Raises:
            InputError: An input is missing, or shapes disagree.
        """
        for name in ("triangles", "vn", "texture", "light_strength"):
            if name not in tensors:
                raise InputError(f"`{name}` is not among the inputs; give it.")
        given = {field.name: tensors[field.name] for field in fields(cls) if field.name in tensors}
        given.setdefault("mask", torch.ones(given["triangles"].shape[:2], dtype=torch.bool))
        return cls(**given)  # type: ignore[arg-type]

    @classmethod
    def of_values(cls, batch: SceneBatch) -> "V2Batch":
        """The batch for a model with `surface = values`: emission apart from the other channels.

        Args:
            batch: Scenes of 13-channel materials, constant or as textures.
        """
        emission = batch.constant_material()[..., EMISSION].float()
        values = batch.surface[:, :, : EMISSION.start]
        texture = values if values.dim() == 5 else values[..., None, None]
        return cls(
            batch.triangles,
            batch.vn,
            batch.mask,
            texture=texture,
            light_strength=torch.log10(1 + emission.clamp_min(0)),
        )

    def to(self, device: torch.device) -> "V2Batch":
        """The batch on a device, in float32 but for textures, which are large."""
        moved = {field.name: getattr(self, field.name) for field in fields(self)}
        tensors = {name: value.to(device) for name, value in moved.items() if isinstance(value, Tensor)}
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and name != "texture":
                tensors[name] = tensor.float()
        return replace(self, **tensors)  # type: ignore[arg-type]

    @property
    def emitters(self) -> Tensor:
        """[B, N] bool, True for real triangles that emit light."""
        assert self.light_strength is not None
        return (self.light_strength > 0).any(-1) & self.mask

    @property
    def volumes(self) -> Tensor:
        """[B, M] bool, True for real volume tokens; M = 0 without volumes."""
        return self.mask[:, :0] if self.volume_mask is None else self.volume_mask.bool()
