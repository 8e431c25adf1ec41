"""Statistics of a dataset compared with the published distribution: values, histograms, and images for a preview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rfcli.dataset.manifest import Entry
from rfcli.dataset.sample import Sample, read_sample
from rfcli.runtime.files import legible, replacing
from rfcli.runtime.plotting import pyplot
from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR

Floats = npt.NDArray[np.float64]
Distribution = Literal["uniform", "log-uniform", "whole numbers"]

MAX_SCENES = 2000  # that are read, spread evenly over the dataset
MIN_VISIBLE_RADIANCE = 1e-3  # below, a pixel counts as black

COLUMNS = 3  # of the figure
BINS = 24
PUBLISHED_COLOR = "#d55e00"


@dataclass(frozen=True)
class Quantity:
    """A quantity and its published range and distribution (Zeng et al. 2025, section 5.1 and supplement), if any."""

    name: str
    published: tuple[float, float, Distribution] | None = None


QUANTITIES = (
    Quantity("triangles", (256, 1536, "log-uniform")),  # the published upper bound of the first training phase
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
    """Values of each quantity, by name, over at most MAX_SCENES scenes.

    - One value per scene: number of triangles; number of lights (emitters of equal emission are one light); sum of the
      lights' radiances.
    - One value per material: roughness; diffuse + specular of the largest channel.
    - One value per view: field of view in degrees; distance of the camera from the origin; brightness, the mean of
      log10(1 + radiance); coverage, the share of pixels that are not black.

    Raises InputError if a file cannot be read.
    """
    rows = [sample_statistics(read_sample(Path(folder) / entry.file)) for entry in _evenly_spread(entries, MAX_SCENES)]
    return {q.name: np.concatenate([row[q.name] for row in rows]) for q in QUANTITIES}


def sample_statistics(sample: Sample) -> dict[str, Floats]:
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
        "coverage": (images.max(axis=-1) > MIN_VISIBLE_RADIANCE).mean(axis=(1, 2)),
    }


def preview_images(folder: str | Path, entries: Sequence[Entry], count: int) -> list[npt.NDArray[np.float32]]:
    """First view [R, R, 3], linear radiance, of up to `count` scenes spread evenly over the dataset."""
    return [
        read_sample(Path(folder) / entry.file).images[0].astype(np.float32) for entry in _evenly_spread(entries, count)
    ]


def _evenly_spread(entries: Sequence[Entry], count: int) -> list[Entry]:
    """At most `count` of the entries."""
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(count, len(entries))).astype(int))
    return [entries[i] for i in chosen]


def plot_statistics(path: Path, values: Mapping[str, Floats], title: str) -> None:
    """Writes a PNG with a histogram of each quantity, the published distribution as a line."""
    rows = -(-len(QUANTITIES) // COLUMNS)
    figure, axes = pyplot().subplots(rows, COLUMNS, figsize=(9.6, 2.4 * rows), layout="constrained")
    for quantity, panel in zip(QUANTITIES, axes.flat, strict=False):
        _plot_histogram(panel, quantity, values[quantity.name])
    figure.suptitle(legible(title), x=0.01, ha="left", fontsize=11)
    figure.supxlabel(
        "Line: the published distribution, where it is known.", fontsize=8, color=PUBLISHED_COLOR, x=0.01, ha="left"
    )
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
    pyplot().close(figure)


def _plot_histogram(panel: Any, quantity: Quantity, values: Floats) -> None:
    """Shares of the values in bins that the published distribution fills evenly."""
    edges = bin_edges(quantity, values)
    panel.hist(values, edges, weights=np.full(len(values), 1 / len(values)), color="#9ecae1")
    if quantity.published:
        panel.stairs(published_shares(quantity, edges), edges, color=PUBLISHED_COLOR)
    if quantity.published and quantity.published[2] == "log-uniform":
        panel.set_xscale("log")
        ticks = np.geomspace(edges[0], edges[-1], 4)
        panel.set_xticks(ticks, [f"{tick:.4g}" for tick in ticks])
        panel.minorticks_off()
    panel.set_title(quantity.name, fontsize=9, loc="left")
    panel.set_yticks([])
    panel.tick_params(labelsize=7)


def bin_edges(quantity: Quantity, values: Floats) -> Floats:
    """Edges of bins that cover all values and the published range."""
    low, high = float(values.min()), float(values.max())
    distribution = None
    if quantity.published:
        published_low, published_high, distribution = quantity.published
        low, high = min(low, published_low), max(high, published_high)
    if distribution == "whole numbers" or low == high:
        return np.arange(low - 0.5, high + 1.0)
    return np.geomspace(low, high, BINS + 1) if distribution == "log-uniform" else np.linspace(low, high, BINS + 1)


def published_shares(quantity: Quantity, edges: Floats) -> Floats:
    """Share of the published distribution in each bin."""
    assert quantity.published is not None
    low, high, distribution = quantity.published
    if distribution == "whole numbers":
        low, high = low - 0.5, high + 0.5
    scale = np.log if distribution == "log-uniform" else np.asarray
    shares: Floats = np.diff(scale(np.clip(edges, low, high))) / np.diff(scale(np.array([low, high])))
    return shares
