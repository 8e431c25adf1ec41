from pathlib import Path

import numpy as np
import pytest

from rfcli.dataset.local_engine import write_scene
from rfcli.dataset.statistics import (
    QUANTITIES,
    Quantity,
    bin_edges,
    measure,
    plot_statistics,
    preview_images,
    published_shares,
    sample_statistics,
)
from tests.support.dataset_sources import NoiseSource, valid_sample, write_entry


def test_quantities_of_a_known_scene() -> None:
    sample = valid_sample(0)
    values = sample_statistics(sample)
    assert set(values) == {quantity.name for quantity in QUANTITIES}
    assert values["triangles"] == [4]
    assert values["lights"] == [1]
    assert values["emission summed"] == [50]
    assert values["roughness"] == pytest.approx([0.5])
    assert values["diffuse + specular"] == pytest.approx([0.7])  # green: 0.5 + 0.2
    assert values["field of view"] == pytest.approx([40, 40])
    assert values["camera distance"] == pytest.approx([0, 0])
    for view, image in enumerate(sample.images.astype(float)):
        assert values["brightness"][view] == pytest.approx(np.log10(1 + image).mean())
        assert values["coverage"][view] == pytest.approx((image.max(axis=-1) > 1e-3).mean())


def test_values_of_all_scenes_are_measured_and_plotted(tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    entries = [write_entry(tmp_path, index, valid_sample(index)) for index in range(3)]
    values = measure(tmp_path, entries)
    assert len(values["triangles"]) == 3
    assert len(values["brightness"]) == 6
    plot_statistics(tmp_path / "stats.png", values, "three scenes")
    assert (tmp_path / "stats.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("distribution", ["uniform", "log-uniform"])
def test_published_shares_match_a_large_random_sample(distribution: str) -> None:
    quantity = Quantity("x", (0.1, 10.0, distribution))  # type: ignore[arg-type]
    edges = np.geomspace(0.05, 20.0, 13)
    rng = np.random.default_rng(0)
    drawn = (
        rng.uniform(0.1, 10, 200_000) if distribution == "uniform" else np.exp(rng.uniform(*np.log((0.1, 10)), 200_000))
    )
    expected = np.histogram(drawn, edges)[0] / len(drawn)
    assert published_shares(quantity, edges) == pytest.approx(expected, abs=0.005)
    assert published_shares(quantity, edges).sum() == pytest.approx(1.0)


def test_each_whole_number_has_a_bin() -> None:
    quantity = Quantity("x", (1, 8, "whole numbers"))
    edges = bin_edges(quantity, np.array([1.0, 3.0, 9.0]))
    assert edges == pytest.approx(np.arange(0.5, 10.0))
    assert published_shares(quantity, edges) == pytest.approx([1 / 8] * 8 + [0.0])


def test_preview_images_are_spread_evenly_over_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    entries = [write_scene(tmp_path, index, NoiseSource(), 1) for index in range(5)]
    images = preview_images(tmp_path, entries, 3)
    assert len(images) == 3
    for image, index in zip(images, (0, 2, 4), strict=True):
        expected = np.minimum(NoiseSource()(index)[1][0], 65504)
        assert np.allclose(image, expected, rtol=1e-3)
    assert len(preview_images(tmp_path, entries[:1], 48)) == 1
