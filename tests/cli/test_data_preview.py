"""The contact sheet grows with the dataset."""

from pathlib import Path

import imageio.v3 as imageio

from rfcli.cli.gen_data_run import preview_due, write_preview
from rfcli.dataset.processes import make
from tests.support.dataset_sources import Tiny


def test_it_doubles_at_first_and_then_grows_evenly() -> None:
    assert [count for count in range(1, 130) if preview_due(count)] == [1, 2, 4, 8, 16, 32, 64, 96, 128]


def test_its_pictures_are_the_scenes_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    entries = [make(tmp_path, index, Tiny(), 1) for index in range(3)]
    for count in (1, 3):
        assert write_preview(tmp_path, entries[:count]) == tmp_path / "preview.png"
        assert imageio.imread(tmp_path / "preview.png").shape == (4 + 4, count * (4 + 2) + 2, 3)


def test_no_scenes_no_sheet(tmp_path: Path) -> None:
    write_preview(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
