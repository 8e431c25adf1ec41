"""Energy that a rough GGX surface loses if only single scattering between its microfacets is computed."""

import numpy as np
import numpy.typing as npt

# Average albedo of single-scattering GGX (alpha, no Fresnel, separable Smith shadowing) at alpha = 0, 1/16, ..., 1:
# the integral of 2 mu E(mu) over mu = 0..1, where E(mu) is the mean of G1(outgoing) over visible normals.
AVERAGE_ALBEDO = np.array(
    [
        1.0000,
        0.9848,
        0.9595,
        0.9220,
        0.8794,
        0.8334,
        0.7856,
        0.7372,
        0.6894,
        0.6428,
        0.5978,
        0.5550,
        0.5144,
        0.4763,
        0.4406,
        0.4074,
        0.3766,
    ]
)


def lost_to_multiple_scattering(alpha: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Share [...] of energy, 0..1, that single-scattering GGX of width alpha [...] (0..1) does not return.

    Physically this energy leaves after several bounces between microfacets, almost uniformly over directions (Heitz et
    al. 2016). Kulla and Conty (2017) restore it with a smooth lobe, we with a Lambertian lobe of the same average.
    """
    grid = np.linspace(0.0, 1.0, len(AVERAGE_ALBEDO))
    lost: npt.NDArray[np.float32] = (1.0 - np.interp(alpha, grid, AVERAGE_ALBEDO)).astype(np.float32)
    return lost
