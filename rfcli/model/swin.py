"""Self-attention inside windows of the image (Liu et al., Swin Transformer, arXiv 2103.14030)."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

WINDOW = 8


def window_attention(q: Tensor, k: Tensor, v: Tensor, height: int, width: int, shifted: bool) -> Tensor:
    """Softmax attention within windows of 8 x 8 tokens, shifted by 4 tokens on odd layers.

    Grids whose sides are not multiples of 8 are padded; padding is never a key. Even a grid of a single window is
    shifted, which splits it into quarters, as in the official models.

    Args:
        q: Queries [B, H, height width, D].
        k: Keys of the same shape.
        v: Values of the same shape.
        height: Rows of the grid of tokens.
        width: Columns of the grid.
        shifted: Whether windows are shifted by half their size.

    Returns:
        The shape of q.
    """
    shift = WINDOW // 2 if shifted else 0
    pad_h, pad_w = -height % WINDOW, -width % WINDOW

    def windows(x: Tensor) -> Tensor:
        x = rearrange(x, "b n (h w) d -> b n h w d", h=height)
        x = torch.roll(F.pad(x, (0, 0, 0, pad_w, 0, pad_h)), (-shift, -shift), (2, 3))
        return rearrange(x, "b n (h p) (w q) d -> b (h w) n (p q) d", p=WINDOW, q=WINDOW)

    mask = _same_region(height, width, shift, q.device)
    out = F.scaled_dot_product_attention(windows(q), windows(k), windows(v), attn_mask=mask)
    out = rearrange(out, "b (h w) n (p q) d -> b n (h p) (w q) d", h=(height + pad_h) // WINDOW, p=WINDOW, q=WINDOW)
    out = torch.roll(out, (shift, shift), (2, 3))[:, :, :height, :width]
    return rearrange(out, "b n h w d -> b n (h w) d")


def _same_region(height: int, width: int, shift: int, device: torch.device) -> Tensor | None:
    """[windows, 1, 64, 64] True unless query and key share a window only because of the cyclic shift or padding."""
    pad_h, pad_w = -height % WINDOW, -width % WINDOW
    if not (shift or pad_h or pad_w):
        return None

    def bands(size: int, pad: int) -> Tensor:
        total = size + pad
        band = torch.zeros(total, dtype=torch.long, device=device)
        if shift:
            band[total - WINDOW : total - shift] = 1
            band[total - shift :] = 2
        padding = torch.arange(total, device=device).add(shift).remainder(total) >= size
        return torch.where(padding, torch.full_like(band, 3), band)

    region = bands(height, pad_h)[:, None] * 4 + bands(width, pad_w)
    region = rearrange(region, "(h p) (w q) -> (h w) (p q)", p=WINDOW, q=WINDOW)
    return (region[:, :, None] == region[:, None, :])[:, None]
