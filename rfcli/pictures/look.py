"""How linear images are shown, and where a run's pictures come from and go to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rfcli.errors import InputError
from rfcli.pictures.images import Display, Linear, to_display
from rfcli.pictures.renderers import Renderer

MOST_STOPS = 100  # either way; radiance of 1 then comes out as 10^30


@dataclass(frozen=True)
class Look:
    """Exposure in stops and tone mapping of everything that a run shows.

    Raises InputError for an exposure that is no number of stops, and as `to_display`: before anything is rendered.
    """

    exposure: float = 0.0
    tone_mapping: str = "pbr-neutral"

    def __post_init__(self) -> None:
        if not abs(self.exposure) <= MOST_STOPS:  # nan is no number of stops either
            raise InputError(f"--exposure {self.exposure} is not a number of stops; give one such as -1 or 0.5.")
        self.develop(np.zeros((1, 1, 3), dtype=np.float32))

    def develop(self, image: Linear) -> Display:
        """Linear [H, W, 3], or 4 with alpha, to what a display shows: without alpha."""
        return to_display(image[..., :3], self.exposure, self.tone_mapping)


@dataclass(frozen=True)
class Studio:
    """What every picture of a run shares: who draws it, at how many pixels a side, how it is shown, in which folder."""

    renderer: Renderer
    resolution: int
    look: Look
    folder: Path
