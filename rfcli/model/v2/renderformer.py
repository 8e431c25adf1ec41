"""RenderFormer-V2: textures, environment light and volumes (arXiv 2609.05738).

It differs from V1 in the tokens (`tokens.py`), in their order and positions (`sequence.py`), and in the attention of
the view-independent stage, which is a window along a Hilbert curve and sinks (`rfcli.attention.window`). Layers, image
head and rendering are V1's. The letters in shapes are those of `rfcli.model.renderformer`; in addition:

M volume tokens of a scene, L tokens of a sequence: registers, environment, summaries, triangles and volume tokens.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from rfcli.attention import Context
from rfcli.errors import InputError
from rfcli.model.batch import SceneBatch
from rfcli.model.config import RenderFormerConfig
from rfcli.model.renderformer import RenderFormer
from rfcli.model.v2.batch import V2Batch
from rfcli.model.v2.config import RenderFormerV2Config
from rfcli.model.v2.scene_encoder import SceneEncoder
from rfcli.model.v2.sequence import key_context, padded, scene_orders, surface_features, token_positions
from rfcli.model.v2.tokens import SceneTokens
from rfcli.model.view_dependent import SceneEncoding, ViewDependentStage
from rfcli.model.view_independent import ViewIndependentTransformer
from rfcli.scene import TriangleScene


class SummarisedTransformer(ViewIndependentTransformer):
    """The view-independent layers of V1, and the embedding that marks summary tokens."""

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__(config)
        self.summary_token_embed = nn.Parameter(torch.zeros(1, 1, config.latent_dim))


class SequenceViewStage(ViewDependentStage):
    """V1's view-dependent stage for the tokens of V2's sequence, in world space."""

    config: RenderFormerV2Config

    def token_positions(self, batch: SceneBatch) -> Tensor:
        """[B, L, 3] the tokens' positions in world space."""
        return token_positions(_checked(batch), self.config)

    def key_context(self, batch: SceneBatch) -> Context:
        """The attention context of the tokens as keys."""
        return key_context(_checked(batch), self.config)


class RenderFormerV2(RenderFormer, SceneTokens):
    """The network. Its parameters have the published names.

    Args:
        config: The architecture.
    """

    config: RenderFormerV2Config
    scene_encoder: SceneEncoder | None = None  # of models that read latents; see `read_scene_encoder`
    triangle_stage_class: ClassVar[type[ViewIndependentTransformer]] = SummarisedTransformer
    transformer: SummarisedTransformer

    @staticmethod
    def view_stage_class(config: RenderFormerConfig) -> type[ViewDependentStage]:
        """The class of the view-dependent stage."""
        return SequenceViewStage

    def inputs(self, batch: SceneBatch) -> V2Batch:
        """The scenes as this model reads them.

        Args:
            batch: Returned as it is if it is a `V2Batch`. Else scenes of 13-channel materials, which models with
                `surface = values` read.

        Raises:
            InputError: The model reads latents, which materials have to be encoded to.
        """
        if isinstance(batch, V2Batch):
            return batch
        if self.config.surface != "values":
            raise InputError(
                "This model reads textures as latents, not materials; make its inputs with "
                "rfcli.model.v2.read_scene_encoder, or give tensors to rfcli.model.v2.network_output."
            )
        return V2Batch.of_values(batch)

    def batch_of(self, scenes: TriangleScene | Sequence[TriangleScene]) -> SceneBatch:
        """Scenes as the network's input, on the CPU.

        Raises:
            InputError: The model reads latents, and has no `scene_encoder`.
        """
        if self.config.surface == "values":
            return super().batch_of(scenes)
        if self.scene_encoder is None:
            raise InputError(
                "This model reads textures as latents; set its `scene_encoder`, from rfcli.model.v2.read_scene_encoder."
            )
        listed = [scenes] if isinstance(scenes, TriangleScene) else scenes
        return self.scene_encoder.batch(listed, self.config)

    def view_independent(self, batch: SceneBatch) -> Tensor:
        """[B, L, C] tokens after the view-independent layers; see `sequence.py` for their order."""
        return super().view_independent(self.inputs(batch))

    def encode(self, batch: SceneBatch, tokens: Tensor, keep_keys: bool = False) -> SceneEncoding:
        """Computes everything that all cameras of a scene share; see `RenderFormer.encode`."""
        return super().encode(self.inputs(batch), tokens, keep_keys)

    def tokens(self, batch: SceneBatch) -> Tensor:
        """[B, L, C] the sequence: the input of the view-independent layers."""
        batch = self.inputs(batch)
        front, tokens = self.front_tokens(batch), self.scene_tokens(batch)
        embed = self.transformer.summary_token_embed[0]
        orders = scene_orders(batch, self.config.summary_block_size)
        scenes = zip(orders, front, tokens, strict=True)
        return padded([order.sequence(f, order.summarised(x) + embed, x) for order, f, x in scenes])

    def context(self, batch: SceneBatch) -> Context:
        """The attention context of the view-independent layers, with their common plan."""
        batch = self.inputs(batch)
        context = key_context(batch, self.config)
        return self.transformer.planned(context, surface_features(batch, self.config))

    def rotation(self, batch: SceneBatch) -> tuple[Tensor, Tensor] | None:
        """RoPE's cosines and sines [B, L, D / 2]."""
        return super().rotation(self.inputs(batch))


def network_output(model: RenderFormerV2, tensors: Mapping[str, Tensor], resolution: int) -> Tensor:
    """The output of the network, log10(1 + radiance), for inputs as they enter the official transformer.

    Args:
        model: The network.
        tensors: The fields of `V2Batch` by name, and c2w [B, V, 4, 4] and fov [B, V] in degrees.
        resolution: H = W in pixels, a multiple of the patch size.

    Returns:
        [B, V, 3, H, W].

    Raises:
        InputError: An input is missing, shapes disagree, or the resolution is not possible.
    """
    for name in ("c2w", "fov"):
        if name not in tensors:
            raise InputError(f"`{name}` is not among the inputs; give it.")
    device = next(model.parameters()).device
    batch = V2Batch.from_tensors(tensors).to(device)
    images = model(batch, tensors["c2w"].to(device), tensors["fov"].to(device), resolution)
    return images.permute(0, 1, 4, 2, 3)  # type: ignore[no-any-return]


def _checked(batch: SceneBatch) -> V2Batch:
    assert isinstance(batch, V2Batch)
    return batch
