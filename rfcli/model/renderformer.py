"""RenderFormer: triangles in, images out (Zeng et al., SIGGRAPH 2025, arXiv 2505.21925).

triangles ─► triangle tokens ─► view-independent layers ─► encoded scene ─┐
cameras ───► ray tokens ──────► view-dependent layers ◄───────────────────┘
                                └─► head ─► log10(1 + radiance)

The path of one pixel, from `RenderFormer.forward`:

1. `LightSymmetries.split` turns the B scenes into S network inputs: one per scene, or one per scene and colour channel.
2. `view_independent` embeds triangles (`tokens`) and encodes light transport at each triangle, once for all cameras.
3. `encode` collects everything that cameras share; `view_dependent` then renders them, with these methods of a stage:
4. `rays` gives the directions of all pixels. With first hits a z-buffer (`visible_triangles`) finds the seen triangles.
5. `ray_tokens` embeds the directions: one ray token per patch of pixels. With first hits the mean token of the
   triangles that the patch sees is added.
6. Ray tokens attend to the scene's tokens and to one another; the head makes an image of features (`DPTHead`).
7. `head_output`: in published models the features through ELU are log10(1 + radiance). With first hits `PixelDecoder`
   adds features of the seen surface and predicts diffuse lighting A and specular lighting S.
8. `LightSymmetries.merge` joins the S predictions to B.
9. `to_image`: in published models unchanged. With first hits: diffuse A + specular S + emission (`radiance`), mean
   over the subpixels (`average_subpixels`), log10(1 + x).
10. `decode` gives linear radiance.

Letters in the shapes of this package:

B scenes, S network inputs (B or 3 B), N triangles of a scene, R register tokens in front of them,
V views (cameras) of a scene, H x W pixels of an image (H = W; rows x columns also of rays, if a pixel has several),
M patches of pixels, each a ray token, P texels along a side of a texture,
C channels of a token, C' those of another width, D channels of an attention head, F frequencies of an encoding.
In shapes of queries, keys and values, [B, H, N, D], H is the number of heads. "S V" counts all views of all inputs.
"""

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, overload

import torch
from torch import Tensor

from rfcli.attention import Context
from rfcli.errors import InputError
from rfcli.model.attention_context import key_context
from rfcli.model.batch import SceneBatch
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import Rotation, rotation_by
from rfcli.model.first_hit import FirstHitStage
from rfcli.model.layers import run_layer
from rfcli.model.symmetries import LightSymmetries
from rfcli.model.traced_light import TracedLightStage
from rfcli.model.triangle_tokens import TriangleTokens
from rfcli.model.view_dependent import SceneEncoding, ViewDependentStage
from rfcli.model.view_independent import ViewIndependentTransformer

if TYPE_CHECKING:
    from rfcli.scene import TriangleScene

MAX_LOG_RADIANCE = 38.0  # 10^x leaves float16 at x = 4.82 and float32 at 38.5


class RenderFormer(TriangleTokens):
    """The network. Its parameters have the published names, so official checkpoints load without conversion.

    Fields of the config that differ from the published values replace a part: `visibility` and `direct` the stage,
    `channels` and `light` the symmetries, `attention` the mechanism of the view-independent layers.

    Args:
        config: The architecture.
    """

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__(config)
        self.transformer = self.triangle_stage_class(config)
        self.view_transformer = self.view_stage_class(config)(config)
        self.symmetries = LightSymmetries(config)

    triangle_stage_class: ClassVar[type[ViewIndependentTransformer]] = ViewIndependentTransformer

    @staticmethod
    def view_stage_class(config: RenderFormerConfig) -> type[ViewDependentStage]:
        """The class of the view-dependent stage."""
        if config.direct == "traced":
            return TracedLightStage
        return FirstHitStage if config.visibility == "first-hit" else ViewDependentStage

    def forward(
        self, batch: SceneBatch, c2w: Tensor, fov: Tensor, resolution: int, visible: Tensor | None = None
    ) -> Tensor:
        """Renders B scenes through V cameras each: both stages.

        Args:
            batch: B scenes.
            c2w: [B, V, 4, 4] camera to world.
            fov: [B, V] degrees.
            resolution: H = W in pixels, a multiple of the patch size.
            visible: [B, V, H, W] index of the triangle that each pixel sees, -1 for none; None: computed if needed.

        Returns:
            [B, V, H, W, 3] encoded images (4 channels with alpha); `decode` gives radiance.
        """
        tokens = self.view_independent(batch)
        return self.view_dependent(self.encode(batch, tokens), c2w, fov, resolution, visible)

    def view_independent(self, batch: SceneBatch) -> Tensor:
        """[S, R + N, C] tokens after the view-independent layers, which encode light transport at each triangle.

        S = B, or 3 B if the colour channels are computed apart. The tokens are the same for all cameras.
        """
        batch = self.symmetries.split(batch).batch
        tokens, rotation, context = self.tokens(batch), self.rotation(batch), self.context(batch)
        for layer in self.transformer.layers:
            tokens = run_layer(layer, self.transformer.recompute, tokens, rotation, context)
        return tokens

    def encode(self, batch: SceneBatch, tokens: Tensor, keep_keys: bool = False) -> SceneEncoding:
        """Computes everything that all cameras of a scene share.

        Args:
            batch: B scenes.
            tokens: [S, R + N, C] from `view_independent`.
            keep_keys: Keep the keys and values of all view-dependent layers; saves time if there are several views.

        Returns:
            The input of `view_dependent`.
        """
        return self.view_transformer.encode(batch, self.symmetries.split(batch), tokens, keep_keys)

    def view_dependent(
        self,
        scene: SceneEncoding,
        c2w: Tensor,
        fov: Tensor,
        resolution: int,
        visible: Tensor | None = None,
        samples: int = 1,
    ) -> Tensor:
        """Renders encoded scenes through V cameras each.

        Args:
            scene: B scenes, from `encode`.
            c2w: [B, V, 4, 4] camera to world.
            fov: [B, V] degrees.
            resolution: H = W in pixels, a multiple of the patch size.
            visible: [B, V, H samples, H samples] index of the triangle that each ray hits, -1 for none. None: computed
                if needed. Unused without first-hit visibility.
            samples: Rays along a side of a pixel, which is the mean over samples x samples rays. Unused without
                first-hit visibility.

        Returns:
            [B, V, H, W, 3] encoded images (4 channels with alpha).

        Raises:
            InputError: The resolution is not a multiple of the patch size.
        """
        self.check_resolution(resolution)
        stage = self.view_transformer
        rays = stage.rays(scene, c2w, fov, resolution, visible, samples)
        features = stage(scene, rays)
        merged = self.symmetries.merge(stage.head_output(scene, rays, features), scene.inputs)
        images = stage.to_image(rays, merged)
        return images.view(*c2w.shape[:2], *images.shape[1:])

    def check_resolution(self, resolution: int) -> None:
        """Raises InputError if a resolution is not a positive multiple of the patch size."""
        if not isinstance(resolution, Integral):
            raise InputError(f"`resolution` {resolution!r} must be a whole number of pixels.")
        if resolution < 1 or resolution % self.config.patch_size:
            raise InputError(f"`resolution` {resolution} must be a multiple of {self.config.patch_size}.")

    def decode(self, image: Tensor) -> Tensor:
        """Linear radiance, float32, from encoded images log10(1 + radiance); LDR images are returned unchanged."""
        return image if self.config.use_ldr else torch.pow(10.0, image.float().clamp_max(MAX_LOG_RADIANCE)) - 1

    def batch_of(self, scenes: "TriangleScene | Sequence[TriangleScene]") -> SceneBatch:
        """Scenes as the network's input, on the CPU."""
        return SceneBatch.from_scenes(scenes)

    def context(self, batch: SceneBatch) -> Context:
        """The attention context of the view-independent layers for the S network inputs, with their common plan."""
        return self.transformer.with_plan(key_context(batch, self.config), batch)

    def rotation(self, batch: SceneBatch) -> Rotation | None:
        """RoPE's cosines and sines [S, R + N, D / 2] of the S network inputs in world space; None without RoPE."""
        positions = self.view_transformer.token_positions(batch)
        return rotation_by(self.transformer.rope_emb, positions, self.config.head_dim)

    @overload
    def render(
        self,
        scene: "TriangleScene",
        resolution: int = ...,
        views: Sequence[int] | None = ...,
        precision: str = ...,
        cameras: tuple[object, object] | None = ...,
    ) -> Tensor: ...
    @overload
    def render(
        self,
        scene: "Sequence[TriangleScene]",
        resolution: int = ...,
        views: Sequence[int] | None = ...,
        precision: str = ...,
        cameras: tuple[object, object] | None = ...,
    ) -> list[Tensor]: ...
    def render(
        self,
        scene: "TriangleScene | Sequence[TriangleScene]",
        resolution: int = 256,
        views: Sequence[int] | None = None,
        precision: str = "fp32",
        cameras: tuple[object, object] | None = None,
    ) -> Tensor | list[Tensor]:
        """Renders a scene, or each scene of a list, without gradients.

        Args:
            scene: A scene from `rfcli.load_scene`, or a sequence of scenes.
            resolution: Side of the square images in pixels, a multiple of the patch size.
            views: Indices of the cameras to render, in this order; negative ones count from the end. None: all.
            precision: "fp32", "bf16" or "auto", of the view-independent stage; "auto" is bf16 if it is measured to be
                faster.
            cameras: Cameras in place of the scene's: c2w [V, 4, 4] (camera to world, looking down -Z) and fov [V] in
                degrees, as arrays or tensors.

        Returns:
            [V, H, W, 3] linear HDR radiance on the CPU (4 channels with alpha); for a sequence a list of these.

        Raises:
            InputError: The resolution, the views, the precision or the cameras are not possible for this model and
                scene, or memory does not suffice.
        """
        from rfcli.model.rendering import render_scene

        if isinstance(scene, Sequence) and not isinstance(scene, str):
            return [render_scene(self, one, resolution, views, precision, cameras) for one in scene]
        return render_scene(self, scene, resolution, views, precision, cameras)

    @classmethod
    def from_pretrained(cls, name: str | Path, attention: str | None = None, device: str = "cpu") -> "RenderFormer":
        """Loads a model in eval mode, as `rfcli.load_model` does, but on the CPU unless a device is given.

        Args:
            name: A bundled model ("tiny", "tiny-performer"), a checkpoint folder, a .safetensors file with its
                config.json in the same folder, or a Hugging Face id, "owner/name" or "owner/name@revision".
            attention: Mechanism of the view-independent stage in place of the checkpoint's. One that needs training
                gives a UserWarning.
            device: "cpu", "cuda", "mps", or "auto" for the fastest one available.

        Returns:
            The model.

        Raises:
            InputError: There is no such model, mechanism or device, or the checkpoint does not fit its config.
        """
        import rfcli

        return rfcli.load_model(str(name), attention, device)

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes config.json, model.safetensors and README.md, the layout of the Hugging Face hub.

        Args:
            folder: Created if missing. An existing README.md (the model card) is kept.
        """
        from rfcli.model.checkpoint import save_checkpoint

        save_checkpoint(self, Path(folder))
