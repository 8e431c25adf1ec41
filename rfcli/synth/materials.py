"""Random materials: diffuse + monochrome specular of 0.9 to 1, roughness log-uniform in 0.01 to 1."""

import colorsys

import numpy as np

from rfcli.scene import DIFFUSE, EMISSION, FLAT_NORMAL, NORMAL, ROUGHNESS, SPECULAR
from rfcli.synth.pieces import Floats


def random_material(rng: np.random.Generator, faces: int) -> Floats:
    """Materials [faces, 13] of an object: one diffuse colour for all triangles, or a different one for each."""
    total, specular = rng.uniform(0.9, 1.0), _random_specular(rng)
    color = _random_color(rng)
    colors = np.repeat(color[None], faces, axis=0)
    if rng.random() < 0.5:
        per_face = np.array([_random_color(rng) for _ in range(faces)])
        colors = colors + rng.choice([0.35, 1.0]) * (per_face - colors)  # shades of the object's colour, or any colours
    roughness = float(np.exp(rng.uniform(np.log(0.01), 0.0)))
    return materials(colors * (total - specular), specular, roughness)


def random_wall_material(rng: np.random.Generator, faces: int) -> Floats:
    """Materials [faces, 13] of a wall: mostly a single colour, mostly rough."""
    if rng.random() < 0.3:
        return random_material(rng, faces)
    specular = rng.uniform(0.0, 0.1) if rng.random() < 0.7 else rng.uniform(0.1, 0.6)
    color = _random_color(rng) * (rng.uniform(0.7, 1.0) - specular)
    return materials(np.repeat(color[None], faces, axis=0), specular, rng.uniform(0.2, 1.0))


def paint_material(color: Floats, faces: int) -> Floats:
    """Materials [faces, 13] of matte paint in a diffuse colour [3]."""
    return materials(np.repeat(color[None], faces, axis=0), 0.01, 0.99)


def light_material(radiance: float, faces: int) -> Floats:
    """Materials [faces, 13] of a white light; diffuse 1, as published."""
    rows = materials(np.ones((faces, 3)), 0.0, 1.0)
    rows[:, EMISSION] = radiance
    return rows


def materials(diffuse: Floats, specular: float, roughness: float) -> Floats:
    """Materials [N, 13] from diffuse colours [N, 3]."""
    rows = np.zeros((len(diffuse), 13))
    rows[:, DIFFUSE] = diffuse
    rows[:, SPECULAR] = specular
    rows[:, ROUGHNESS] = roughness
    rows[:, NORMAL] = FLAT_NORMAL
    return rows


def saturated_color(rng: np.random.Generator) -> Floats:
    """A saturated RGB [3]: red, green or blue in half of the cases, else any hue."""
    hue = rng.integers(3) / 3 + rng.normal(0, 0.02) if rng.random() < 0.5 else rng.random()
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, rng.uniform(0.8, 1.0), rng.uniform(0.4, 0.8)))


def _random_specular(rng: np.random.Generator) -> float:
    """Specular reflectance: below 0.05 for a third of the objects, else 0 to 0.9."""
    return float(rng.uniform(0.0, 0.05) if rng.random() < 1 / 3 else rng.uniform(0.0, 0.9))


def _random_color(rng: np.random.Generator) -> Floats:
    """RGB [3] whose largest channel is 0.5 to 1: a third nearly grey, the rest of any saturation above."""
    saturation = rng.uniform(0.0, 0.25) if rng.random() < 1 / 3 else rng.uniform(0.25, 1.0)
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.5, 1.0)))
