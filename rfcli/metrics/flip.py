"""HDR-FLIP: the difference that a person sees when flipping between two HDR images, over all exposures worth showing.

Source: Andersson, Nilsson, Shirley and Akenine-Möller, Visualizing Errors in Rendered High Dynamic Range Images,
Eurographics 2021; computed by the authors' flip-evaluator.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def hdr_flip(image: Floats, reference: Floats) -> tuple[float, Floats]:
    """Mean error, 0 for what looks equal to 1, and its map [H, W, 3] in the magma colours, 0..1.

    image, reference [H, W, 3]: linear radiance; what is below 0 counts as 0.
    The range of exposures follows from the reference's brightest and median luminance, as published, but its black
    pixels are left out: they are the surroundings, and a median of 0 would ask for exposures without end.
    """
    import flip_evaluator

    image, reference = (np.ascontiguousarray(np.maximum(x, 0), dtype=np.float32) for x in (image, reference))
    exposures = _exposures(reference[reference.sum(axis=-1) > 0])
    magma, mean, _ = flip_evaluator.evaluate(reference, image, "HDR", parameters=exposures)
    return float(mean), np.asarray(magma, dtype=np.float32)


def _exposures(lit: Floats) -> dict[str, float]:
    """The range that flip-evaluator finds for these pixels [P, 3]; it would end the process where there are none."""
    import flip_evaluator

    if len(lit) == 0:
        return {"startExposure": 0.0, "stopExposure": 0.0, "numExposures": 2}
    row = np.ascontiguousarray(lit[None])
    _, _, found = flip_evaluator.evaluate(row, row, "HDR", applyMagma=False, computeMeanError=False)
    return {name: found[name] for name in ("startExposure", "stopExposure", "numExposures")}
