import numpy as np
import pytest

from rfcli.scene import DIFFUSE, EMISSION, NORMAL, ROUGHNESS, SPECULAR
from rfcli.synth.materials import light_material, random_material, random_wall_material


def test_object_materials_match_the_published_distribution() -> None:
    rng = np.random.default_rng(0)
    samples = [random_material(rng, 12) for _ in range(400)]
    for rows in samples:
        assert (rows[:, SPECULAR] == rows[0, SPECULAR]).all()  # monochrome, equal over the object
        assert rows[0, 3] == rows[0, 4] == rows[0, 5]
        assert (rows[:, DIFFUSE] >= 0).all()
        assert (rows[:, DIFFUSE] + rows[:, SPECULAR]).max() <= 1.0
        assert (rows[:, EMISSION] == 0).all()
        assert (rows[:, NORMAL] == (0.5, 0.5, 1.0)).all()
    roughness = np.array([rows[0, ROUGHNESS] for rows in samples])
    assert roughness.min() >= 0.01
    assert roughness.max() <= 1.0
    assert np.median(roughness) == pytest.approx(0.1, rel=0.3)  # log-uniform
    per_triangle = np.mean([len(np.unique(rows[:, DIFFUSE], axis=0)) > 1 for rows in samples])
    assert per_triangle == pytest.approx(0.5, abs=0.1)


def test_walls_reflect_at_most_what_they_receive() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        rows = random_wall_material(rng, 3)
        assert (rows[:, DIFFUSE] + rows[:, SPECULAR]).max() <= 1.0
        assert rows.min() >= 0.0


def test_lights_are_white() -> None:
    assert (light_material(40.0, 2)[:, EMISSION] == 40.0).all()
