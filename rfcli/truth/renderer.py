"""The interface of ground-truth renderers."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from rfcli.scene import TriangleScene

Images = npt.NDArray[np.float32]


class TruthRenderer(Protocol):
    """A renderer that is independent of the network."""

    def render(self, scene: TriangleScene, resolution: int) -> Images:
        """Render all cameras of a scene.

        Args:
            scene: A scene with V cameras.
            resolution: Height and width in pixels.

        Returns:
            [V, resolution, resolution, 3] linear radiance, row 0 at the top.
        """
        ...
