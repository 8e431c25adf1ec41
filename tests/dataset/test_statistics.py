from pathlib import Path

import numpy as np
import pytest

from rfcli.dataset.statistics import QUANTITIES, Quantity, measure, of_sample
from rfcli.dataset.statistics_figure import bins, draw_statistics, published_shares
from tests.dataset.test_check import sound_sample, write


def test_quantities_of_a_scene_made_by_hand() -> None:
    sample = sound_sample(0)
    values = of_sample(sample)
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


def test_a_dataset_is_the_sum_of_its_scenes(tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    entries = [write(tmp_path, index, sound_sample(index)) for index in range(3)]
    values = measure(tmp_path, entries)
    assert len(values["triangles"]) == 3
    assert len(values["brightness"]) == 6
    draw_statistics(tmp_path / "stats.png", values, "three scenes")
    assert (tmp_path / "stats.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("law", ["uniform", "log-uniform"])
def test_published_shares_are_those_of_a_large_draw(law: str) -> None:
    quantity = Quantity("x", (0.1, 10.0, law))  # type: ignore[arg-type]
    edges = np.geomspace(0.05, 20.0, 13)
    rng = np.random.default_rng(0)
    drawn = rng.uniform(0.1, 10, 200_000) if law == "uniform" else np.exp(rng.uniform(*np.log((0.1, 10)), 200_000))
    expected = np.histogram(drawn, edges)[0] / len(drawn)
    assert published_shares(quantity, edges) == pytest.approx(expected, abs=0.005)
    assert published_shares(quantity, edges).sum() == pytest.approx(1.0)


def test_whole_numbers_have_a_bin_each() -> None:
    quantity = Quantity("x", (1, 8, "whole numbers"))
    edges = bins(quantity, np.array([1.0, 3.0, 9.0]))
    assert edges == pytest.approx(np.arange(0.5, 10.0))
    assert published_shares(quantity, edges) == pytest.approx([1 / 8] * 8 + [0.0])
