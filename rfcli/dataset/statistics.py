"""How a dataset is distributed, beside what is known of the published one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from rfcli.dataset.manifest import Entry
from rfcli.dataset.sample import Sample, read_sample
from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR

Floats = npt.NDArray[np.float64]
Law = Literal["uniform", "log-uniform", "whole numbers"]

MOST = 2000  # scenes, spread evenly over the dataset, that are looked at
LIT = 1e-3  # radiance above which a pixel shows something


@dataclass(frozen=True)
class Quantity:
    """A quantity and its published range (Zeng et al. 2025, section 5.1 and supplement; None where none is given)."""

    name: str
    published: tuple[float, float, Law] | None = None


QUANTITIES = (
    Quantity("triangles", (256, 1536, "log-uniform")),  # the published upper bound of the first stage of training
    Quantity("lights", (1, 8, "whole numbers")),
    Quantity("emission summed", (2500, 5000, "uniform")),
    Quantity("roughness", (0.01, 1, "log-uniform")),
    Quantity("diffuse + specular", (0.9, 1, "uniform")),
    Quantity("field of view", (30, 60, "uniform")),
    Quantity("camera distance", (1.5, 2, "uniform")),
    Quantity("brightness"),
    Quantity("coverage"),
)


def measure(folder: str | Path, entries: Sequence[Entry]) -> dict[str, Floats]:
    """Values [...] of each quantity, by name, over at most MOST of the scenes.

    One a scene: triangles; lights (patches that emit alike and lie together) and the sum of their radiances. One a
    material: roughness; diffuse + specular (of the brightest channel). One a view: field of view in degrees; distance
    of the camera from the origin; brightness, the mean of log10(1 + radiance); coverage, the share of pixels not black.
    Raises InputError where a file cannot be read.
    """
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(MOST, len(entries))).astype(int))
    rows = [of_sample(read_sample(Path(folder) / entries[i].file)) for i in chosen]
    return {q.name: np.concatenate([row[q.name] for row in rows]) for q in QUANTITIES}


def of_sample(sample: Sample) -> dict[str, Floats]:
    """Values of each quantity in one scene."""
    scene, images = sample.scene, sample.images.astype(np.float64)
    lights = np.unique(scene.material[scene.emitters][:, EMISSION], axis=0)
    materials = np.unique(scene.material[~scene.emitters], axis=0).astype(np.float64)
    return {
        "triangles": np.array([len(scene)], float),
        "lights": np.array([len(lights)], float),
        "emission summed": np.array([lights.mean(axis=1).sum()], float),
        "roughness": np.unique(materials[:, ROUGHNESS]),
        "diffuse + specular": (materials[:, DIFFUSE] + materials[:, SPECULAR]).max(axis=1),
        "field of view": scene.fov.astype(float),
        "camera distance": np.linalg.norm(scene.c2w[:, :3, 3], axis=1).astype(float),
        "brightness": np.log10(1 + images).mean(axis=(1, 2, 3)),
        "coverage": (images.max(axis=-1) > LIT).mean(axis=(1, 2)),
    }
