"""Small random scenes and models for the tests of the network."""

import dataclasses

import torch
from torch import Tensor

from rfcli.model import PRESETS, RenderFormer, SceneBatch
from rfcli.scene import TriangleScene

SMALL = dataclasses.replace(
    PRESETS["tiny"],
    channels="together",
    light="given",
    direct="network",
    latent_dim=64,
    num_heads=1,
    dim_feedforward=96,
    num_layers=2,
    num_register_tokens=3,
    view_transformer_latent_dim=64,
    view_transformer_n_heads=1,
    view_transformer_ffn_hidden_dim=96,
    dpt_features=16,
    dpt_out_channels=(8, 8, 16, 16),
)
# Changes of SMALL that together cover both stages, all encodings of positions and all attention mechanisms.
VARIANTS: list[dict[str, object]] = [
    {},
    {"visibility": "attention", "token_position_freqs": None, "turn_to_cam_coord": True},
    {"visibility": "first-hit", "turn_to_cam_coord": True, "key_weight": "count"},
    {"visibility": "attention", "turn_to_cam_coord": False, "key_weight": "normalised", "use_dpt_decoder": False},
    {"view_transformer_use_swin_attn": True, "attention": "performer"},
    {"direct": "traced"},
    {"direct": "traced", "turn_to_cam_coord": True, "attention": "hedgehog", "channels": "apart", "light": "relative"},
    {"attention": "nearfar", "attention_options": {"keys": 4}},
    {"pe_type": "nerf", "token_position_freqs": None, "norm_type": "layer_norm", "bias": True, "activation": "gelu"},
    {"pe_type": "nerf", "token_position_freqs": None, "turn_to_cam_coord": True, "attention": "performer"},
    {"view_transformer_latent_dim": 80, "view_transformer_include_self_attn": False, "use_vn_encoder": False},
]


def small_model(seed: int = 0, **changes: object) -> RenderFormer:
    """A small model with random weights, large enough that every part affects the image."""
    torch.manual_seed(seed)
    model = RenderFormer(dataclasses.replace(SMALL, **changes)).eval()  # type: ignore[arg-type]
    for token in (model.tri_token, model.reg_tokens):
        torch.nn.init.normal_(token)
    return model


def random_batch(scenes: int = 1, triangles: int = 12, seed: int = 0) -> SceneBatch:
    """Random triangles around the origin with random materials; the first triangle of each scene emits."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    corners = uniform(scenes, triangles, 1, 3) - 0.5 + 0.3 * (uniform(scenes, triangles, 3, 3) - 0.5)
    normals = torch.nn.functional.normalize(uniform(scenes, triangles, 3, 3) - 0.5, dim=-1)
    material = uniform(scenes, triangles, 13)
    material[..., 10:] = 0
    material[:, 0, 10:] = 20.0
    mask = torch.ones(scenes, triangles, dtype=torch.bool)
    return SceneBatch(corners, normals, mask, material=material)


def random_scene(triangles: int = 12, views: int = 2, seed: int = 0) -> TriangleScene:
    """A scene of `random_batch` with its cameras."""
    batch, (c2w, fov) = random_batch(1, triangles, seed), cameras(1, views)
    return TriangleScene(*(x[0].numpy() for x in (batch.triangles, batch.vn, batch.constant_material(), c2w, fov)))


def cameras(scenes: int = 1, views: int = 2) -> tuple[Tensor, Tensor]:
    """c2w [B, V, 4, 4] around the vertical axis at distance 1.8, looking at the origin; fov [B, V]."""
    c2w = torch.eye(4).repeat(scenes, views, 1, 1)
    for view in range(views):
        angle = torch.tensor(0.4 + view)
        eye = torch.tensor([torch.sin(angle), -torch.cos(angle), 0.2]) * 1.8
        back = torch.nn.functional.normalize(eye, dim=0)
        right = torch.nn.functional.normalize(torch.linalg.cross(torch.tensor([0.0, 0.0, 1.0]), back), dim=0)
        c2w[:, view, :3, :3] = torch.stack([right, torch.linalg.cross(back, right), back], 1)
        c2w[:, view, :3, 3] = eye
    return c2w, torch.full((scenes, views), 40.0)
