"""Textures as numbers: linear image pyramids, looked up finely enough for averages over triangles."""

import numpy as np
import numpy.typing as npt

from rfcli.scene.formats.contents import Floats, Texture, Wrap

Singles = npt.NDArray[np.float32]

MAX_BASE_TEXELS = 1 << 22  # of the finest level that is kept (64 MB); larger images are averaged down to it
TEXELS_PER_EDGE = 8  # along the longest edge of a triangle, at most, on the level where it is looked up
ROWS_AT_ONCE = 256


def srgb_to_linear(values: npt.NDArray[np.floating]) -> Floats:
    """Inverse of the transfer function of sRGB (IEC 61966-2-1), for values 0..1."""
    values = np.asarray(values, dtype=np.float64)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


LINEAR_OF_BYTE = srgb_to_linear(np.arange(256) / 255).astype(np.float32)


class Pyramid:
    """An image and its halvings, each texel the mean of what it covers, linear, with colours weighted by alpha.

    A fifth channel is the mean square of the colours, so that no variation is lost in the halvings.

    Args:
        texture: The texture.
        srgb: Whether rgb is encoded as sRGB.
        cutoff: Alpha below which a texel is empty and above which it is full; None: alpha stays as it is and does not
            weight the colours.
    """

    def __init__(self, texture: Texture, srgb: bool, cutoff: float | None = None) -> None:
        self.texture = texture
        self._levels = [self._base(texture.pixels, srgb, cutoff)]
        while max(self._levels[-1].shape[:2]) > 1:
            self._levels.append(_halved(self._levels[-1]))

    @staticmethod
    def _base(pixels: npt.NDArray[np.uint8], srgb: bool, cutoff: float | None) -> Singles:
        """The finest level [H, W, 5], made in blocks of rows, as a large image would not fit into memory in floats."""
        table = LINEAR_OF_BYTE if srgb else np.arange(256, dtype=np.float32) / 255
        halvings = 0
        while pixels.shape[0] * pixels.shape[1] >> 2 * halvings > MAX_BASE_TEXELS:
            halvings += 1
        blocks = []
        for start in range(0, len(pixels), ROWS_AT_ONCE):
            rows = pixels[start : start + ROWS_AT_ONCE]
            alpha = rows[..., 3:].astype(np.float32) / 255
            if cutoff is not None:
                alpha = (alpha >= cutoff).astype(np.float32)
            colour = table[rows[..., :3]] * (1 if cutoff is None else alpha)
            block = np.concatenate([colour, alpha, (colour**2).mean(axis=-1, keepdims=True)], axis=-1)
            for _ in range(halvings):
                block = _halved(block)
            blocks.append(block)
        return np.concatenate(blocks)

    def edge_texels(self, uv: Floats) -> Floats:
        """[F] texels of the finest level along the longest edge of triangles with coordinates [F, 3, 2]."""
        height, width = self._levels[0].shape[:2]
        moved = self._moved(uv)
        return np.asarray(np.linalg.norm((moved - moved[:, [1, 2, 0]]) * (width, height), axis=2).max(axis=1))

    def look_up(self, uv: Floats, edge_texels: Floats) -> Singles:
        """[F, S, 5] texels at points [F, S, 2]; edge_texels [F] decides the level. Texels are squares of one value."""
        level = np.ceil(np.log2(np.maximum(edge_texels / TEXELS_PER_EDGE, 1))).astype(int)
        level = np.minimum(level, len(self._levels) - 1)
        values = np.empty((*uv.shape[:2], 5), dtype=np.float32)
        for number in np.unique(level):
            chosen, image = level == number, self._levels[number]
            moved = self._moved(uv[chosen])
            column = _texel(moved[..., 0], image.shape[1], self.texture.wrap[0])
            row = _texel(moved[..., 1], image.shape[0], self.texture.wrap[1])
            values[chosen] = image[row, column]
        return values

    def _moved(self, uv: Floats) -> Floats:
        if self.texture.transform is None:
            return uv
        return np.asarray(uv @ self.texture.transform[:, :2].T + self.texture.transform[:, 2])


def _texel(position: Floats, count: int, wrap: Wrap) -> npt.NDArray[np.int64]:
    """Number 0..count - 1 of the texel at positions 0..1, with the image continued outside by `wrap`."""
    if wrap == "repeat":
        position = position - np.floor(position)
    elif wrap == "mirror":
        position = 1 - np.abs(1 - np.mod(position, 2.0))
    scaled = np.clip(position, 0.0, 1.0) * count
    return np.minimum(scaled.astype(np.int64), count - 1)


def _halved(image: Singles) -> Singles:
    """Half as many rows and columns, at least one; each texel is the mean of the area it covers, whatever the size."""
    for axis in (0, 1):
        count = image.shape[axis]
        if count == 1:
            continue
        fewer = max(1, count // 2)
        if count == 2 * fewer:
            shape = (*image.shape[:axis], fewer, 2, *image.shape[axis + 1 :])
            image = image.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
            continue
        sums = np.concatenate([np.zeros_like(image.take([0], axis)), np.cumsum(image, axis, dtype=np.float64)], axis)
        place = np.linspace(0, count, fewer + 1)
        low = np.minimum(place.astype(int), count - 1)
        share = (place - low).reshape([-1 if k == axis else 1 for k in range(3)])
        at = sums.take(low, axis) * (1 - share) + sums.take(low + 1, axis) * share
        image = (np.diff(at, axis=axis) * (fewer / count)).astype(np.float32)
    return image
