"""Path-traced pictures of a changed scene, which get better as long as camera and scene stay the same."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfcli.scene import TriangleScene
from rfcli.viewer.cameras import WindowCamera
from rfcli.viewer.edits import EditableScene, SceneEdits

Linear = npt.NDArray[np.float32]

PATHS_PER_PASS = 4  # per pixel; a pass cannot be interrupted
MAX_PATHS = 1024  # per pixel


@dataclass(frozen=True)
class TracedPicture:
    """The image [S, S, 3] of so many paths per pixel, denoised."""

    image: Linear
    paths: int


@dataclass
class _Refinement:
    key: tuple[SceneEdits, WindowCamera, int]
    passes: Iterator[tuple[int, Linear]]
    picture: TracedPicture


class PathTracedPictures:
    """One path-traced picture per view. Not thread-safe: only the thread that renders calls it."""

    title = "path tracer"

    def __init__(self, original: EditableScene) -> None:
        self.original = original
        self._refinements: dict[Hashable, _Refinement] = {}

    def draw(self, view: Hashable, edits: SceneEdits, camera: WindowCamera, resolution: int) -> TracedPicture:
        """The best picture that there is; the first one of a camera or scene has PATHS_PER_PASS paths."""
        key = edits, camera, resolution
        kept = self._refinements.get(view)
        if kept is None or kept.key != key:
            from rfcli.truth import PathTracer

            passes = PathTracer(PATHS_PER_PASS).refine(_seen_by(camera, edits.apply(self.original)), resolution)
            paths, image = next(passes)
            kept = self._refinements[view] = _Refinement(key, passes, TracedPicture(image, paths))
        return kept.picture

    def refine(self, view: Hashable) -> bool:
        """Trace one pass more for the last picture of a view; returns False if it is good enough."""
        kept = self._refinements.get(view)
        if kept is None or kept.picture.paths >= MAX_PATHS:
            return False
        paths, image = next(kept.passes)
        kept.picture = TracedPicture(image, paths)
        return True

    def forget(self, view: Hashable) -> None:
        """A view was closed."""
        self._refinements.pop(view, None)


def _seen_by(camera: WindowCamera, scene: TriangleScene) -> TriangleScene:
    """The scene with the window's camera only."""
    fov = np.array([camera.square_fov], dtype=np.float32)
    return TriangleScene(scene.triangles, scene.vn, scene.material, camera.matrix[None], fov)
