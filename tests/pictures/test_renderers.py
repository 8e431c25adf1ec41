"""At which resolution a network draws when nobody says."""

import pytest

from rfcli.pictures.renderers import RESOLUTION, NetworkRenderer
from tests.support.model_scenes import small_model


@pytest.mark.parametrize(
    ("visibility", "trained_at", "home"),
    [("attention", 64, 64), ("attention", None, RESOLUTION), ("first-hit", 64, RESOLUTION)],
)
def test_home_is_where_the_network_sees_well(visibility: str, trained_at: int | None, home: int) -> None:
    model = small_model(visibility=visibility, training_resolution=trained_at)
    assert NetworkRenderer("small", model).home == home
