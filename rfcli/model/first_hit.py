"""The view-dependent stage with first-hit visibility: a z-buffer finds the triangle that each pixel sees.

The published stage leaves visibility to attention. Here it is computed: the mean token of the triangles that a patch of
pixels sees is added to its ray token, the ray token is positioned at the seen surface, and the network predicts the
lighting there, from which the surface's own material gives radiance (`rfcli.model.shading`). Light transport between
surfaces is predicted by the network; primary visibility and the colours of the seen surface are not learned.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.batch import SceneBatch
from rfcli.model.cameras import pixel_directions, pixel_rays, to_world
from rfcli.model.config import RenderFormerConfig
from rfcli.model.layers import RMSNorm
from rfcli.model.shading import FEATURES, PixelDecoder, average_subpixels
from rfcli.model.symmetries import NetworkScenes
from rfcli.model.view_dependent import (
    Rays,
    SceneEncoding,
    ViewDependentStage,
    camera_space_triangles,
    repeat_views,
)
from rfcli.model.visibility import (
    FirstHits,
    SurfaceHits,
    hit_geometry,
    patch_positions,
    surface_hits,
    visible_triangles,
)


@dataclass(frozen=True)
class FirstHitRays(Rays):
    """Rays with their first hits; samples x samples rays pass through each pixel.

    Attributes:
        batch: The B scenes.
        hits: First hits of the B V cameras, H samples rays along a side of the image.
        world_directions: [B V, H samples, H samples, 3] directions of the rays in world space, unit depth.
        samples: Rays along a side of a pixel.
        hit_triangles: [S V, H samples, H samples] `hits.triangle`, repeated for the S network inputs.
    """

    batch: SceneBatch
    hits: FirstHits
    world_directions: Tensor
    samples: int
    hit_triangles: Tensor

    @cached_property
    def surface(self) -> SurfaceHits:
        """The seen surfaces; computed when needed, after the layers have released their memory."""
        return surface_hits(self.batch, self.hits, self.world_directions)


class FirstHitStage(ViewDependentStage):
    """Ray tokens at the seen surfaces, view-dependent layers, pixel decoder and shading."""

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__(config, features=FEATURES)
        self.seen_norm = RMSNorm(config.latent_dim)
        self.seen_proj = nn.Linear(config.latent_dim, config.view_transformer_latent_dim, bias=False)
        self.pixel_decoder = PixelDecoder(config.latent_dim)

    def encode(
        self, batch: SceneBatch, inputs: NetworkScenes, tokens: Tensor, keep_keys: bool = False
    ) -> SceneEncoding:
        """As in the published stage, with the tokens to be added to ray tokens and the features at the vertices."""
        registers = self.config.num_register_tokens
        return replace(
            super().encode(batch, inputs, tokens, keep_keys),
            seen_tokens=self.seen_norm(tokens),
            vertex_features=self.pixel_decoder.features_at_vertices(tokens[:, registers:], inputs.batch),
        )

    def rays(
        self, scene: SceneEncoding, c2w: Tensor, fov: Tensor, resolution: int, visible: Tensor | None, samples: int
    ) -> FirstHitRays:
        """The rays of all cameras and their first hits.

        Args:
            scene: B scenes.
            c2w: [B, V, 4, 4] camera to world.
            fov: [B, V] degrees.
            resolution: Pixels along a side.
            visible: [B, V, H samples, H samples] index of the triangle that each ray hits, -1 for none; None: computed
                here.
            samples: Rays along a side of a pixel.
        """
        batch, c2w, fov = scene.batch, c2w.float(), fov.reshape(-1).float()
        cameras, fine = c2w.flatten(0, 1), resolution * samples
        directions = pixel_directions(fov, fine)
        corners = camera_space_triangles(batch, c2w)
        if visible is None:
            views = zip(corners, repeat_views(batch.mask, c2w), fov, strict=True)
            visible = torch.stack([visible_triangles(*view, fine) for view in views])
        hits = hit_geometry(visible.view(-1, fine, fine), corners, directions)
        world_directions, unit_directions = to_world(directions, cameras), pixel_rays(fov, resolution)
        patch = self.config.patch_size * samples
        if self.config.turn_to_cam_coord:
            positions = patch_positions(directions, hits, torch.zeros_like(cameras[:, :3, 3]), patch)
        else:
            unit_directions = to_world(unit_directions, cameras)
            positions = patch_positions(world_directions, hits, cameras[:, :3, 3], patch)
        plain = self._rays(scene, c2w, unit_directions, positions)
        return FirstHitRays(
            **vars(plain),
            batch=batch,
            hits=hits,
            world_directions=world_directions,
            samples=samples,
            hit_triangles=scene.inputs.repeat_views(hits.triangle, len(batch.mask)),
        )

    def ray_tokens(self, scene: SceneEncoding, rays: Rays, side: int) -> Tensor:
        """[S V, M, C] as in the published stage, plus the projected mean token of the triangles seen by each patch."""
        assert isinstance(rays, FirstHitRays)
        seen: Tensor = self.seen_proj(self._mean_seen_token(scene, rays, side))
        return super().ray_tokens(scene, rays, side) + seen

    def activation(self, features: Tensor) -> Tensor:
        """Identity: the pixel decoder takes unactivated features."""
        return features

    def head_output(self, scene: SceneEncoding, rays: Rays, features: Tensor) -> Tensor:
        """[S V, H, H, 6] log10(1 + x) of diffuse and specular lighting at the first ray of each pixel."""
        assert isinstance(rays, FirstHitRays)
        scenes = len(scene.batch.mask)
        first = rays.surface.subsample(rays.samples).map(lambda x: scene.inputs.repeat_views(x, scenes))
        return self.pixel_decoder(scene.vertex_features, features, first)  # type: ignore[no-any-return]

    def to_image(self, rays: Rays, prediction: Tensor) -> Tensor:
        """[B V, H, H, 3] log10(1 + radiance) of the seen materials under the lighting [B V, H, H, 6]."""
        assert isinstance(rays, FirstHitRays)
        return average_subpixels(prediction, rays.surface, rays.samples)

    def _mean_seen_token(self, scene: SceneEncoding, rays: FirstHitRays, side: int) -> Tensor:
        """[S V, M, C'] mean token of the triangles that the rays of each of the side x side patches hit.

        The sum is divided by the number of all rays of the patch: a ray that hits nothing counts as a token of zeros.
        """
        assert scene.seen_tokens is not None
        tokens, registers = scene.seen_tokens, scene.context.registers
        triangle = rays.hit_triangles
        inputs, count, _ = tokens.shape
        views = len(triangle) // inputs
        input_of_view = torch.arange(len(triangle), device=tokens.device)[:, None, None] // views
        row = triangle.clamp_min(0) + registers + input_of_view * count
        p = triangle.shape[-1] // side
        bags = rearrange(row, "v (h p) (w q) -> (v h w) (p q)", p=p, q=p)
        weight = rearrange(triangle >= 0, "v (h p) (w q) -> (v h w) (p q)", p=p, q=p).to(tokens.dtype)
        mean = F.embedding_bag(bags, tokens.flatten(0, 1), mode="sum", per_sample_weights=weight / p**2)
        return rearrange(mean, "(v m) c -> v m c", v=len(triangle))
