"""The sequence of RenderFormer-V2: which tokens it has, in which order, and where they are.

    registers | environment | summaries | emitters, input order | other triangles and volumes, Hilbert order

All parts but the last are sinks of window attention. A summary is made from 64 consecutive tokens of the last part
before the first layer, and is an ordinary token from there on; tokens left over at the end have none. Padding and
masked volumes are left out; the sequences of a batch are padded to the longest.

The curve fills the bounding box of the last part of each scene, so that the order does not depend on the batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rfcli.attention import Context
from rfcli.attention.hilbert import hilbert_order
from rfcli.model.triangle_tokens import scene_centroid
from rfcli.model.v2.batch import V2Batch
from rfcli.model.v2.config import RenderFormerV2Config

TRIANGLE, SUMMARY, VOLUME = 0.0, 1.0, 2.0  # a surface feature, by which mechanisms pool like tokens with like


@dataclass(frozen=True)
class Order:
    """The tokens of one scene as indices: those of triangles are 0 to N - 1, those of volume tokens N to N + M - 1.

    Attributes:
        emitters: [E] triangles that emit light.
        others: [G] other triangles and volume tokens along the curve.
        block: Tokens of a summary.
    """

    emitters: Tensor
    others: Tensor
    block: int

    @property
    def summaries(self) -> int:
        """Number of summary tokens: only whole blocks have one."""
        return len(self.others) // self.block

    def summarised(self, x: Tensor) -> Tensor:
        """[summaries, C] mean over each block of values x [N + M, C]."""
        rows = x[self.others[: self.summaries * self.block]]
        return rows.view(self.summaries, self.block, x.shape[-1]).mean(1)

    def sequence(self, front: Tensor, summaries: Tensor, x: Tensor) -> Tensor:
        """[L, C] the whole sequence of values [., C]: of registers and environment, of summaries, and x [N + M, C]."""
        return torch.cat([front, summaries, x[self.emitters], x[self.others]])


def scene_orders(batch: V2Batch, block: int) -> list[Order]:
    """The order of each scene's tokens; block: tokens of a summary."""
    orders = []
    centres = token_centres(batch)
    sorted_tokens = torch.cat([batch.mask & ~batch.emitters, batch.volumes], 1)
    for scene, emitters in enumerate(batch.emitters):
        others = sorted_tokens[scene].nonzero()[:, 0]
        others = others[hilbert_order(centres[scene, others])]
        orders.append(Order(emitters.nonzero()[:, 0], others, block))
    return orders


def token_centres(batch: V2Batch) -> Tensor:
    """[B, N + M, 3] the centres of triangles and volume tokens."""
    centres = batch.triangles.mean(2)
    return centres if batch.volume_position is None else torch.cat([centres, batch.volume_position], 1)


def environment_tokens(batch: V2Batch, config: RenderFormerV2Config) -> int:
    """Number of environment tokens: two per patch of latents."""
    if batch.env_latent_ldr is None:
        return 0
    height, width = batch.env_latent_ldr.shape[-2:]
    return 2 * (height // config.envmap_latent_patch_size) * (width // config.envmap_latent_patch_size)


def padded(scenes: Sequence[Tensor]) -> Tensor:
    """[B, L, C] sequences [., C] of B scenes, zeros after the shorter ones."""
    return pad_sequence(list(scenes), batch_first=True)


def token_positions(batch: V2Batch, config: RenderFormerV2Config) -> Tensor:
    """[B, L, 3] the positions of all tokens.

    A triangle is at its centre, a summary at the mean of its block's positions, registers and environment at the mean
    of all vertices of the scene's triangles.
    """
    front = config.num_register_tokens + environment_tokens(batch, config)
    centroids, centres = scene_centroid(batch.triangles, batch.mask), token_centres(batch)
    orders = scene_orders(batch, config.summary_block_size)
    scenes = zip(orders, centroids, centres, strict=True)
    return padded([o.sequence(c.expand(front, -1), o.summarised(x), x) for o, c, x in scenes])


def key_context(batch: V2Batch, config: RenderFormerV2Config) -> Context:
    """The context of attention with the sequence as keys; the environment's tokens count as registers. No plan."""
    front = config.num_register_tokens + environment_tokens(batch, config)
    orders = scene_orders(batch, config.summary_block_size)
    longest = max(front + o.summaries + len(o.emitters) + len(o.others) for o in orders)
    place = torch.arange(longest, device=batch.mask.device)

    def flags(first: Callable[[Order], int], count: Callable[[Order], int]) -> Tensor:
        return torch.stack([(place >= first(o)) & (place < first(o) + count(o)) for o in orders])

    real = flags(lambda o: 0, lambda o: front + o.summaries + len(o.emitters) + len(o.others))
    return Context(
        key_mask=None if bool(real.all()) else real,
        registers=front,
        emitters=flags(lambda o: front + o.summaries, lambda o: len(o.emitters)),
        summaries=flags(lambda o: front, lambda o: o.summaries),
    )


def surface_features(batch: V2Batch, config: RenderFormerV2Config) -> Tensor:
    """[B, L, 10] position, kind of token, mean normal and log10(1 + emission), by which mechanisms pool tokens.

    Normals of volumes are 0. Latents of textures are not among the features: what they stand for is not known here.
    """
    assert batch.light_strength is not None
    normals, strength = batch.vn.float().mean(2), batch.light_strength.float()
    kinds = torch.full_like(normals[..., :1], TRIANGLE)
    surface = torch.nn.functional.pad(torch.cat([kinds, normals, strength], -1), (0, 0, 0, batch.volumes.shape[1]))
    surface[:, batch.mask.shape[1] :, 0] = VOLUME
    front = surface.new_zeros(config.num_register_tokens + environment_tokens(batch, config), surface.shape[-1])
    scenes = []
    for order, values in zip(scene_orders(batch, config.summary_block_size), surface, strict=True):
        summaries = order.summarised(values)
        summaries[:, 0] = SUMMARY
        scenes.append(order.sequence(front, summaries, values))
    return torch.cat([token_positions(batch, config), padded(scenes)], -1)
