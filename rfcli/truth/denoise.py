"""Removes Monte Carlo noise with Open Image Denoise."""

import sys
from functools import cache

import numpy as np

from rfcli.truth.renderer import Images

# pyoidn imports torch if it can, only to accept tensors: seconds and hundreds of megabytes in every worker process.
_without_torch = "torch" not in sys.modules
if _without_torch:
    sys.modules["torch"] = None  # type: ignore[assignment]
try:
    import pyoidn
finally:
    if _without_torch:
        del sys.modules["torch"]


def denoised(color: Images, threads: int) -> Images:
    """The image [H, W, 3], linear HDR, without Monte Carlo noise and negative values; threads: 0 for all cores."""
    color = np.ascontiguousarray(color, dtype=np.float32)
    clean = np.empty_like(color)
    with pyoidn.Filter(device(threads), "RT") as filter_:
        filter_.set_image(pyoidn.OIDN_IMAGE_COLOR, color, pyoidn.OIDN_FORMAT_FLOAT3)
        filter_.set_image(pyoidn.OIDN_IMAGE_OUTPUT, clean, pyoidn.OIDN_FORMAT_FLOAT3)
        filter_.set_bool("hdr", True)
        filter_.commit()
        filter_.execute()
    error = device(threads).get_error()
    if error:
        raise RuntimeError(f"Open Image Denoise: {error}")
    return np.maximum(clean, 0.0)


@cache
def device(threads: int) -> pyoidn.Device:
    """The CPU device, created once because it loads the weights of the filter."""
    created = pyoidn.Device(pyoidn.OIDN_DEVICE_TYPE_CPU)
    created.set_bool("setAffinity", False)  # else several processes all pin themselves to the first core
    if threads:
        created.set_int("numThreads", threads)
    created.commit()
    return created
