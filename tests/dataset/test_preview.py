from pathlib import Path

import numpy as np

from rfcli.dataset.preview import preview_images
from rfcli.dataset.processes import make
from tests.support.dataset_sources import Tiny


def test_previews_are_spread_over_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    entries = [make(tmp_path, index, Tiny(), 1) for index in range(5)]
    images = preview_images(tmp_path, entries, 3)
    assert len(images) == 3
    for image, index in zip(images, (0, 2, 4), strict=True):
        expected = np.minimum(Tiny()(index)[1][0], 65504)
        assert np.allclose(image, expected, rtol=1e-3)
    assert len(preview_images(tmp_path, entries[:1], 48)) == 1
