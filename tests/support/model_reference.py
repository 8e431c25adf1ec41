"""Reference implementation of RenderFormer in float64, for one scene, one view and one head at a time.

It follows the formulas and the published parameter names and shares no code with rfcli/model: padded triangles are
removed instead of masked, RoPE multiplies complex numbers, Swin windows are a mask over all pairs of patches, and
bilinear resizing is a matrix product.
"""

import math
from typing import Any

import torch
from torch import Tensor

Config = dict[str, Any]  # all fields of config.json


class Weights:
    """A state dict in float64 that records which of its tensors were read."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = {name: tensor.double() for name, tensor in state.items()}
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return self.state[name]

    def linear(self, name: str, x: Tensor, bias: bool = True) -> Tensor:
        y = x @ self[f"{name}.weight"].T
        return y + self[f"{name}.bias"] if bias else y

    def norm(self, name: str, kind: str, x: Tensor, eps: float | None = None) -> Tensor:
        """eps None: torch's default, as in the norms after the encoders."""
        if kind == "none":
            return x
        if kind == "rms_norm":
            eps = 2.0**-23 if eps is None else eps
            return x / ((x**2).mean(-1, keepdim=True) + eps).sqrt() * self[f"{name}.weight"]
        eps = 1e-5 if eps is None else eps
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / ((centred**2).mean(-1, keepdim=True) + eps).sqrt()
        return scaled * self[f"{name}.weight"] + self[f"{name}.bias"]

    def conv(self, name: str, x: Tensor, stride: int = 1, bias: bool = True) -> Tensor:
        weight = self[f"{name}.weight"]
        shift = self[f"{name}.bias"] if bias else None
        return torch.nn.functional.conv2d(x[None], weight, shift, stride, weight.shape[-1] // 2)[0]


def nerf(x: Tensor, frequencies: int) -> Tensor:
    """x [N, C] -> [N, C (2 F + 1)]: x, then for both phases every channel at every power of two."""
    columns = [x]
    for phase in (0.0, math.pi / 2):
        for channel in range(x.shape[1]):
            columns += [torch.sin(x[:, channel : channel + 1] * 2**f + phase) for f in range(frequencies)]
    return torch.cat(columns, 1)


def rotated(x: Tensor, vertices: Tensor, frequencies: Tensor) -> Tensor:
    """x [N, D] of one head: channel pairs (i, i + D / 2) as complex numbers times exp(i angle)."""
    half = x.shape[1] // 2
    angle = torch.zeros(len(x), half, dtype=torch.float64)
    for coordinate in range(9):
        for index, frequency in enumerate(frequencies):
            angle[:, coordinate * len(frequencies) + index] = vertices[:, coordinate] * frequency
    turned = torch.complex(x[:, :half], x[:, half:]) * torch.exp(1j * angle)
    return torch.cat([turned.real, turned.imag], 1)


def attend(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None) -> Tensor:
    """Softmax attention of one head; `allowed` [queries, keys] or None for all."""
    logits = q @ k.T / math.sqrt(q.shape[1])
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -math.inf)
    return torch.softmax(logits, 1) @ v


def same_window(side: int, shift: int) -> Tensor:
    """[M, M] True if two patches of a side x side grid are in the same 8 x 8 window after a cyclic shift.

    False if they share the window only because the shift wraps around the border of the grid.
    """

    def window(index: int) -> tuple[int, bool]:
        shifted = (index - shift) % side
        return shifted // 8, index < shift

    windows = [(*window(row), *window(column)) for row in range(side) for column in range(side)]
    return torch.tensor([[a == b for b in windows] for a in windows])


class Reference:
    """The reference of one model, from its config and its state dict."""

    def __init__(self, config: Config, state: dict[str, Tensor]) -> None:
        self.c = config
        self.w = Weights(state)

    def render(
        self, triangles: Tensor, vn: Tensor, mask: Tensor, texture: Tensor, c2w: Tensor, fov: Tensor, resolution: int
    ) -> Tensor:
        """Images [B, V, H, W, channels]; shapes as in `rfcli.render`, texture [B, N, C, P, P]."""
        images = []
        for scene in range(len(triangles)):
            real = mask[scene].bool()
            vertices = triangles[scene][real].double().reshape(-1, 9)
            tokens = self.view_independent(vertices, vn[scene][real].double(), texture[scene][real].double())
            for camera, angle in zip(c2w[scene].double(), fov[scene].double().reshape(-1), strict=True):
                images.append(self.view(tokens, vertices, camera, float(angle), resolution))
        image = torch.stack(images).unflatten(0, c2w.shape[:2])
        return image if self.c["use_ldr"] else 10**image - 1

    def with_registers(self, vertices: Tensor) -> Tensor:
        """Vertices [N, 9] of the triangles -> [R + N, 9]; registers are at the centroid of the scene."""
        count = len(vertices)
        centre = (vertices.reshape(-1, 3).mean(0) * count / (count + 1e-5)).repeat(3)
        return torch.cat([centre.expand(self.c["num_register_tokens"], 9), vertices])

    def view_independent(self, vertices: Tensor, vn: Tensor, texture: Tensor) -> Tensor:
        """[R + N, C] tokens after the view-independent layers."""
        c, w = self.c, self.w
        texture = texture.clone()
        if not c["use_ldr"]:
            texture[:, -3:] = torch.log10(1 + texture[:, -3:])
        if c["texture_encode_patch_size"] == 1:
            texture = texture[:, :, :1, :1]
        surface = w.linear("texture_encoder", texture.flatten(1))
        x = w["tri_token"][0] + w.norm("texture_encoder_norm", c["texture_encoder_norm_type"], surface)
        if c["use_vn_encoder"]:
            normals = w.linear("vn_encoding_proj", nerf(vn.reshape(-1, 9), c["vn_pe_num_freqs"]))
            x = x + w.norm("vn_encoder_norm", c["vn_encoder_norm_type"], normals)
        if c["pe_type"] == "nerf":
            position = w.linear("tri_encoding_proj", nerf(vertices, c["vertex_pe_num_freqs"]))
            x = x + w.norm("tri_encoding_norm", c["vn_encoder_norm_type"], position)
        x = torch.cat([w["reg_tokens"][0], x])
        positions = self.with_registers(vertices)
        for layer in range(c["num_layers"]):
            name = f"transformer.layers.{layer}"
            normed = self.layer_norm(f"{name}.query_norm", x)
            x = x + self.self_attention(f"{name}.multihead_attn", normed, positions, "transformer", None)
            x = x + self.feed_forward(f"{name}.ffn", self.layer_norm(f"{name}.ffn_norm", x))
        return x

    def layer_norm(self, name: str, x: Tensor) -> Tensor:
        return self.w.norm(name, self.c["norm_type"], x, 1e-6)

    def feed_forward(self, name: str, x: Tensor) -> Tensor:
        bias = self.c["bias"]
        h = self.w.linear(f"{name}.w1", x, bias)
        if self.c["activation"] == "swiglu":
            h = h / (1 + torch.exp(-h)) * self.w.linear(f"{name}.w3", x, bias)
        else:
            h = h * (1 + torch.erf(h / math.sqrt(2))) / 2
        return self.w.linear(f"{name}.w2", h, bias)

    def self_attention(
        self, name: str, x: Tensor, positions: Tensor | None, stage: str, allowed: Tensor | None
    ) -> Tensor:
        q, k, v = self.w.linear(f"{name}.in_proj", x, self.c["bias"]).tensor_split(3, 1)
        return self.heads(name, (q, k, v), (positions, positions), stage, allowed)

    def cross_attention(self, name: str, x: Tensor, y: Tensor, positions: tuple[Tensor, Tensor], stage: str) -> Tensor:
        bias = self.c["bias"]
        q, k, v = (
            self.w.linear(f"{name}.{part}_proj", tokens, bias) for part, tokens in zip("qkv", (x, y, y), strict=True)
        )
        return self.heads(name, (q, k, v), positions, stage, None)

    def heads(
        self,
        name: str,
        qkv: tuple[Tensor, Tensor, Tensor],
        positions: tuple[Tensor | None, Tensor | None],
        stage: str,
        allowed: Tensor | None,
    ) -> Tensor:
        """QK norm, RoPE, softmax and output projection of all heads.

        Args:
            name: Of the attention's parameters.
            qkv: Queries, keys and values [N, C].
            positions: Of queries and of keys, [N, 9]; None: not rotated.
            stage: transformer or view_transformer.transformer.
            allowed: [queries, keys] or None.
        """
        first = stage == "transformer"
        q, k, v = qkv
        if self.c["view_indep_qk_norm" if first else "qk_norm"]:
            q, k = self.layer_norm(f"{name}.q_norm", q), self.layer_norm(f"{name}.k_norm", k)
        count = self.c["num_heads" if first else "view_transformer_n_heads"]
        width = q.shape[1] // count
        outputs = []
        for head in range(count):
            one = slice(head * width, (head + 1) * width)
            q1, k1 = q[:, one], k[:, one]
            if self.c["pe_type"] == "rope" and positions[0] is not None and positions[1] is not None:
                frequencies = self.w[f"{stage}.rope_emb.freqs"]
                q1, k1 = rotated(q1, positions[0], frequencies), rotated(k1, positions[1], frequencies)
            outputs.append(attend(q1, k1, v[:, one], allowed))
        return self.w.linear(f"{name}.out_proj", torch.cat(outputs, 1), self.c["bias"])

    def view(self, tokens: Tensor, vertices: Tensor, c2w: Tensor, fov: float, resolution: int) -> Tensor:
        """[H, W, channels] encoded image of one view: the view-dependent stage."""
        c, w, stage = self.c, self.w, "view_transformer"
        patch, side = c["patch_size"], resolution // c["patch_size"]
        if c["turn_to_cam_coord"]:
            points = torch.cat([vertices.reshape(-1, 3), torch.ones(len(vertices) * 3, 1, dtype=torch.float64)], 1)
            vertices = (points @ torch.linalg.inv(c2w).T)[:, :3].reshape(-1, 9)
            c2w = torch.eye(4, dtype=torch.float64)
        positions = self.with_registers(vertices)
        rays = nerf(self.rays(c2w, fov, resolution), c["vdir_num_freqs"]).reshape(resolution, resolution, -1)
        squares = []
        for row in range(side):
            for column in range(side):
                square = rays[row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
                squares.append(square.permute(2, 0, 1).flatten())
        x = w.linear(f"{stage}.ray_map_encoder", torch.stack(squares))
        x = w[f"{stage}.ray_map_patch_token"][0] + w.norm(f"{stage}.ray_map_encoder_norm", c["norm_type"], x)
        camera = c2w[:3, 3].repeat(3).expand(len(x), 9)
        if c["pe_type"] == "nerf":
            x, tokens = x + self.view_position(camera), tokens + self.view_position(positions)
        taps = c["dpt_out_layers"] or range(c["view_transformer_n_layers"] - 4, c["view_transformer_n_layers"])
        levels = []
        for layer in range(c["view_transformer_n_layers"]):
            x = self.view_layer(layer, x, tokens, camera, positions, side)
            if layer in taps:
                levels.append(x)
        if c["use_dpt_decoder"]:
            image = self.dpt(levels, side)
        else:
            cells = w.linear(f"{stage}.out_proj", x).reshape(side, side, -1, patch, patch)
            image = cells.permute(2, 0, 3, 1, 4).reshape(-1, resolution, resolution)
        image = torch.where(image > 0, image, 1e-3 * (torch.exp(image) - 1))
        return image.permute(1, 2, 0)

    def rays(self, c2w: Tensor, fov: float, resolution: int) -> Tensor:
        """[H W, 3] unit directions."""
        focal = resolution / 2 / math.tan(math.radians(fov) / 2)
        pixels = [
            (column + 0.5 - resolution / 2, resolution / 2 - row - 0.5, -focal)
            for row in range(resolution)
            for column in range(resolution)
        ]
        directions = torch.tensor(pixels, dtype=torch.float64) @ c2w[:3, :3].T
        return directions / directions.square().sum(1, keepdim=True).sqrt()

    def view_position(self, vertices: Tensor) -> Tensor:
        encoded = self.w.linear("view_transformer.pe_token_proj", nerf(vertices, self.c["vertex_pe_num_freqs"]))
        return self.w.norm("view_transformer.token_pos_pe_norm", self.c["norm_type"], encoded)

    def view_layer(self, layer: int, x: Tensor, tokens: Tensor, camera: Tensor, positions: Tensor, side: int) -> Tensor:
        """One layer: rays x [M, C] at `camera` [M, 9], scene tokens [R + N, C'] at `positions` [R + N, 9]."""
        stage = "view_transformer.transformer"
        name = f"{stage}.layers.{layer}"
        queries, keys = self.layer_norm(f"{name}.query_norm", x), self.layer_norm(f"{name}.kv_norm", tokens)
        x = x + self.cross_attention(f"{name}.multihead_attn", queries, keys, (camera, positions), stage)
        if self.c["view_transformer_include_self_attn"]:
            normed = self.layer_norm(f"{name}.self_attn_norm", x)
            windows = self.c["view_transformer_use_swin_attn"]
            allowed = same_window(side, 4 * (layer % 2)) if windows else None
            x = x + self.self_attention(f"{name}.self_attn", normed, None if windows else camera, stage, allowed)
        return x + self.feed_forward(f"{name}.ffn", self.layer_norm(f"{name}.ffn_norm", x))

    def dpt(self, levels: list[Tensor], side: int) -> Tensor:
        w, head = self.w, "view_transformer.out_dpt"
        maps = []
        for level, tokens in enumerate(levels):
            x = w.conv(f"{head}.projects.{level}", tokens.T.reshape(-1, side, side))
            if level < 2:  # transposed convolutions with stride = kernel size: every pixel becomes a block
                weight, bias = w[f"{head}.resize_layers.{level}.weight"], w[f"{head}.resize_layers.{level}.bias"]
                blocks = torch.einsum("ihw,iokl->ohkwl", x, weight)
                x = blocks.flatten(3, 4).flatten(1, 2) + bias[:, None, None]
            if level == 3:
                x = w.conv(f"{head}.resize_layers.3", x, stride=2)
            maps.append(w.conv(f"{head}.scratch.layer{level + 1}_rn", x, bias=False))
        x = maps[3]
        for level in (3, 2, 1, 0):
            name = f"{head}.scratch.refinenet{level + 1}"
            if level < 3:
                x = x + self.residual(f"{name}.resConvUnit1", maps[level])
            size = maps[level - 1].shape[-1] if level else 2 * maps[0].shape[-1]
            x = w.conv(f"{name}.out_conv", resized(self.residual(f"{name}.resConvUnit2", x), size))
        x = resized(w.conv(f"{head}.scratch.output_conv1", x), side * self.c["patch_size"])
        return w.conv(f"{head}.scratch.output_conv2.2", silu(w.conv(f"{head}.scratch.output_conv2.0", x)))

    def residual(self, name: str, x: Tensor) -> Tensor:
        return x + self.w.conv(f"{name}.conv2", silu(self.w.conv(f"{name}.conv1", silu(x))))


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def resized(x: Tensor, size: int) -> Tensor:
    """Square maps [C, S, S] -> [C, size, size], linearly interpolated with aligned corners."""
    old = x.shape[-1]
    matrix = torch.zeros(size, old, dtype=torch.float64)
    for row in range(size):
        position = row * (old - 1) / (size - 1) if size > 1 else 0.0
        low = min(int(position), old - 1)
        matrix[row, low] += 1 - (position - low)
        matrix[row, min(low + 1, old - 1)] += position - low
    return matrix @ x @ matrix.T
