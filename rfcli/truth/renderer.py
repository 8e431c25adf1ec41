"""What every ground-truth renderer promises."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from rfcli.scene import TriangleScene

Images = npt.NDArray[np.float32]


class TruthRenderer(Protocol):
    """A renderer of triangle scenes that the network is compared with."""

    def render(self, scene: TriangleScene, resolution: int) -> Images:
        """Images [V, resolution, resolution, 3] of all V cameras: linear radiance, row 0 on top."""
        ...
