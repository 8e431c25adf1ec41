"""Open Image Denoise on a few threads of its own."""

import sys
from functools import cache

import numpy as np

from rfcli.truth.renderer import Images

# pyoidn would import torch, if only to take tensors too: seconds and hundreds of megabytes of every worker.
_without_torch = "torch" not in sys.modules
if _without_torch:
    sys.modules["torch"] = None  # type: ignore[assignment]
try:
    import pyoidn
finally:
    if _without_torch:
        del sys.modules["torch"]


def denoised(color: Images, threads: int) -> Images:
    """The image [H, W, 3], linear HDR, without its Monte Carlo noise; never negative. threads: 0 for all cores."""
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
    """The CPU device, made once: it loads the filter's weights."""
    made = pyoidn.Device(pyoidn.OIDN_DEVICE_TYPE_CPU)
    made.set_bool("setAffinity", False)  # several processes would all pin themselves to the first core
    if threads:
        made.set_int("numThreads", threads)
    made.commit()
    return made
