"""Colours of vertices and faces: stored as sRGB, used as linear."""

import numpy as np
import numpy.typing as npt

from rfcli.scene.formats.contents import Floats
from rfcli.scene.formats.textures import srgb_to_linear


def linear_rgba(stored: npt.ArrayLike) -> Floats:
    """[N, 4] linear rgba of stored sRGB colours [N, 3] or [N, 4] in 0..1; alpha is linear already, 1 if absent."""
    colours = np.asarray(stored, dtype=np.float64)
    rgba = np.ones((len(colours), 4))
    rgba[:, :3] = srgb_to_linear(np.clip(colours[:, :3], 0, 1))
    if colours.shape[1] > 3:
        rgba[:, 3] = np.clip(colours[:, 3], 0, 1)
    return rgba


def in_unit_range(colours: Floats) -> Floats:
    """Colours of a text file in 0..1: files have 0..1 or 0..255, and the largest value tells which."""
    return colours / 255 if np.nanmax(colours, initial=0.0) > 1 else colours
