"""Random materials: diffuse and monochrome specular that sum to 0.9..1, roughness log-uniform in 0.01..1."""

import colorsys

import numpy as np

from rfcli.scene import DIFFUSE, EMISSION, FLAT_NORMAL, NORMAL, ROUGHNESS, SPECULAR
from rfcli.synth.parts import Floats


def random_material(rng: np.random.Generator, faces: int) -> Floats:
    """Materials [faces, 13] of an object: one diffuse colour for all, or one for each triangle."""
    total, specular = rng.uniform(0.9, 1.0), random_specular(rng)
    color = random_color(rng)
    colors = np.repeat(color[None], faces, axis=0)
    if rng.random() < 0.5:
        own = np.array([random_color(rng) for _ in range(faces)])
        colors = colors + rng.choice([0.35, 1.0]) * (own - colors)  # a shade of the object's colour, or any
    roughness = float(np.exp(rng.uniform(np.log(0.01), 0.0)))
    return materials(colors * (total - specular), specular, roughness)


def random_wall_material(rng: np.random.Generator, faces: int) -> Floats:
    """Materials [faces, 13] of a wall: mostly one colour, mostly rough."""
    if rng.random() < 0.3:
        return random_material(rng, faces)
    specular = rng.uniform(0.0, 0.1) if rng.random() < 0.7 else rng.uniform(0.1, 0.6)
    color = random_color(rng) * (rng.uniform(0.7, 1.0) - specular)
    return materials(np.repeat(color[None], faces, axis=0), specular, rng.uniform(0.2, 1.0))


def plain(color: Floats, faces: int) -> Floats:
    """Materials [faces, 13] of paint: the diffuse colour [3] with a trace of gloss."""
    return materials(np.repeat(color[None], faces, axis=0), 0.01, 0.99)


def random_specular(rng: np.random.Generator) -> float:
    """Specular reflectance: a third of the objects are nearly matte, the rest 0..0.9."""
    return float(rng.uniform(0.0, 0.05) if rng.random() < 1 / 3 else rng.uniform(0.0, 0.9))


def random_color(rng: np.random.Generator) -> Floats:
    """RGB [3] with the largest channel 0.5..1: a third greyish, the rest more or less saturated."""
    saturation = rng.uniform(0.0, 0.25) if rng.random() < 1 / 3 else rng.uniform(0.25, 1.0)
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.5, 1.0)))


def vivid_color(rng: np.random.Generator) -> Floats:
    """A saturated RGB [3]: red, green or blue in half of the cases, else any hue."""
    hue = rng.integers(3) / 3 + rng.normal(0, 0.02) if rng.random() < 0.5 else rng.random()
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, rng.uniform(0.8, 1.0), rng.uniform(0.4, 0.8)))


def light(radiance: float, faces: int) -> Floats:
    """Materials [faces, 13] of a white light: as published, diffuse 1 besides its radiance."""
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
