"""HDR-FLIP: the difference that a person sees when alternating between two HDR images, over all useful exposures.

Source: Andersson, Nilsson, Shirley and Akenine-Möller, Visualizing Errors in Rendered High Dynamic Range Images,
Eurographics 2021; computed by the authors' flip-evaluator.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def hdr_flip(image: Floats, reference: Floats) -> tuple[float, Floats]:
    """HDR-FLIP of an image.

    As published, the range of exposures follows from the largest and the median luminance of the reference. Its black
    pixels, the surroundings of a scene, are excluded: with a median of 0 the range would be unbounded.

    Args:
        image: [H, W, 3] linear radiance; values below 0 count as 0.
        reference: [H, W, 3] linear radiance.

    Returns:
        The mean error, from 0 (looks equal) to 1, and the error map [H, W, 3] in magma colours, 0..1.
    """
    import flip_evaluator

    image, reference = (np.ascontiguousarray(np.maximum(x, 0), dtype=np.float32) for x in (image, reference))
    exposures = _exposures(reference[reference.sum(axis=-1) > 0])
    magma, mean, _ = flip_evaluator.evaluate(reference, image, "HDR", parameters=exposures)
    return float(mean), np.asarray(magma, dtype=np.float32)


def _exposures(pixels: Floats) -> dict[str, float]:
    """The range of exposures that flip-evaluator finds for pixels [P, 3]; without pixels it would end the process."""
    import flip_evaluator

    if len(pixels) == 0:
        return {"startExposure": 0.0, "stopExposure": 0.0, "numExposures": 2}
    row = np.ascontiguousarray(pixels[None])
    _, _, found = flip_evaluator.evaluate(row, row, "HDR", applyMagma=False, computeMeanError=False)
    return {name: found[name] for name in ("startExposure", "stopExposure", "numExposures")}
