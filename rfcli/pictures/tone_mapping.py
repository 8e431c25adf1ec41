"""Tone mappings from linear HDR to sRGB.

Every mapping takes [..., 3] linear Rec. 709 colours, 0 or more, and returns sRGB-encoded values in 0..1.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError

Colors = npt.NDArray[np.float64]


def clip(color: Colors) -> Colors:
    """No mapping: each channel is clipped at 1."""
    return srgb_encode(color)


def pbr_neutral(color: Colors) -> Colors:
    """Khronos PBR Neutral.

    Base colours under grey light are kept, minus the 4 % that a dielectric reflects. Only highlights (peak above 0.76)
    are compressed, by a hyperbola that reaches 1 at infinity, and desaturated to white.
    Source: Khronos PBR Neutral Tone Mapper specification (github.com/KhronosGroup/ToneMapping).
    """
    fresnel, knee, desaturation = 0.04, 0.8 - 0.04, 0.15
    darkest = color.min(axis=-1, keepdims=True)
    shadow = darkest - darkest**2 / (4 * fresnel)
    color = color - np.where(darkest < 2 * fresnel, shadow, fresnel)
    peak = color.max(axis=-1, keepdims=True)
    room = 1 - knee
    new_peak = 1 - room**2 / (np.maximum(peak, knee) + room - knee)
    whiteness = 1 - 1 / (desaturation * (peak - new_peak) + 1)
    compressed = color * new_peak / np.maximum(peak, knee)
    compressed += (new_peak - compressed) * whiteness
    return srgb_encode(np.where(peak < knee, color, compressed))


# AgX: the primaries are moved towards white before the curve, so that bright colours desaturate and keep their hue.
AGX_INSET = np.array(
    [
        [0.842479062253094, 0.0784335999999992, 0.0792237451477643],
        [0.0423282422610123, 0.878468636469772, 0.0791661274605434],
        [0.0423756549057051, 0.0784336, 0.879142973793104],
    ]
)
AGX_STOPS = (-10.0, 6.5)  # around middle grey, 0.18
AGX_SLOPE, AGX_TOE, AGX_SHOULDER = 2.0, 3.0, 3.25


def agx(color: Colors) -> Colors:
    """AgX, base look: a sigmoid over 16.5 stops that maps middle grey, 0.18, to 0.5.

    With d the distance from the pivot, which is at 10 / 16.5 of the range: y = 1/2 + 2 d (1 + a |d|^p)^(-1 / p). Toe
    and shoulder each have their own power p, and a is chosen such that the curve ends at 0 and 1. The output is
    already encoded for display.
    Source of matrix, range, slope and powers: Troy Sobotka's AgX (github.com/sobotka/AgX).
    """
    low, high = AGX_STOPS
    stops = np.log2(np.maximum(color @ AGX_INSET.T, 1e-10) / 0.18)
    x = np.clip((stops - low) / (high - low), 0, 1)
    pivot = -low / (high - low)
    away = x - pivot
    shoulder, toe = (_agx_bend(np.abs(away), *end) for end in ((1 - pivot, AGX_SHOULDER), (pivot, AGX_TOE)))
    curved = 0.5 + AGX_SLOPE * away * np.where(away > 0, shoulder, toe)
    return np.asarray(np.clip(curved @ np.linalg.inv(AGX_INSET).T, 0, 1))


def _agx_bend(away: Colors, end: float, power: float) -> Colors:
    """The factor (1 + a away^power)^(-1 / power), with a such that AGX_SLOPE * away becomes 0.5 at away = end."""
    a = ((2 * AGX_SLOPE * end) ** power - 1) / end**power
    return np.asarray((1 + a * away**power) ** (-1 / power))


def filmic(color: Colors) -> Colors:
    """John Hable's filmic curve, per channel: a soft toe, a long shoulder, white at 5.6.

    Source: J. Hable, Uncharted 2: HDR Lighting, GDC 2010 (shoulder .15, linear .50 at .10, toe .20, .02 / .30, white
    11.2, exposure bias 2).
    """
    return srgb_encode(_hable(2.0 * color) / _hable(np.array(11.2)))


def _hable(x: Colors) -> Colors:
    a, b, c, d, e, f = 0.15, 0.50, 0.10, 0.20, 0.02, 0.30
    return np.asarray((x * (a * x + c * b) + d * e) / (x * (a * x + b) + d * f) - e / f)


ACES_CONFIG = "cg-config-v4.0.0_aces-v2.0_ocio-v2.5"


def aces(color: Colors) -> Colors:
    """The ACES 2.0 output transform for an sRGB display of 100 nits, computed by OpenColorIO.

    Raises InputError if OpenColorIO is not installed.
    """
    pixels = np.ascontiguousarray(color, dtype=np.float32).reshape(-1, 3)
    _aces_processor().applyRGB(pixels)
    return np.asarray(np.clip(pixels, 0, 1), dtype=np.float64).reshape(color.shape)


@cache
def _aces_processor() -> Any:
    try:
        import PyOpenColorIO as ocio  # noqa: N813
    except ImportError:
        raise InputError("`tone_mapping` 'aces' needs OpenColorIO; pip install 'rfcli[aces]'.") from None
    config = ocio.Config.CreateFromBuiltinConfig(ACES_CONFIG)
    source, display, view = "Linear Rec.709 (sRGB)", "sRGB - Display", "ACES 2.0 - SDR 100 nits (Rec.709)"
    processor = config.getProcessor(source, display, view, ocio.TRANSFORM_DIR_FORWARD)
    return processor.getDefaultCPUProcessor()


TONE_MAPPINGS: dict[str, Callable[[Colors], Colors]] = {
    "pbr-neutral": pbr_neutral,
    "none": clip,
    "agx": agx,
    "filmic": filmic,
    "aces": aces,
}


def srgb_encode(linear: Colors) -> Colors:
    """Linear 0..1 to sRGB 0..1 (IEC 61966-2-1); values outside the range are clipped."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
