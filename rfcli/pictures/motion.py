"""How cameras and lights move in a video: around the world's vertical axis, in a way that loops."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene import TriangleScene

MOST_FRAMES = 9999  # of a video: what the names of its frames can count
LIGHT_FRAMES = 96  # of a video in which only the light moves


@dataclass(frozen=True)
class Motion:
    """frames: how many. camera, light: what moves, at least one of them; the light goes all the way round.

    arc: degrees of the camera's orbit; below 360 it swings there and back; None: to be found out from the scene.

    Raises InputError where there are too few frames or the arc is none.
    """

    frames: int
    camera: bool = True
    light: bool = False
    arc: float | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= MOST_FRAMES:
            raise InputError(f"--camera-orbit {self.frames} is no video; give 2 to {MOST_FRAMES:,} frames.")
        if self.arc is not None and not 0 < self.arc <= 360:
            raise InputError(f"--arc {self.arc:g} is not possible; give degrees above 0 and up to 360.")

    @property
    def name(self) -> str:
        """What the video's file adds to the scene's name."""
        return "-".join(part for part, moves in (("orbit", self.camera), ("light", self.light)) if moves)

    def scenes(self, scene: TriangleScene, frames: Sequence[int]) -> Iterator[tuple[Sequence[int], TriangleScene]]:
        """The scene, which has one camera, at the given frames: frame numbers, and a scene with a camera for each.

        While the light stands still, all frames come as one scene with many cameras, whose view-independent stage
        runs only once.
        """
        if not self.light:
            yield frames, self._cameras(scene, frames)
            return
        for frame in frames:
            yield [frame], self._lights(self._cameras(scene, [frame]), frame)

    def _cameras(self, scene: TriangleScene, frames: Sequence[int]) -> TriangleScene:
        turns = [about_vertical(self._angle(frame) if self.camera else 0.0) for frame in frames]
        poses = np.stack([scene.c2w[0]] * len(frames)).astype(np.float64)
        poses[:, :3] = np.stack(turns) @ poses[:, :3]
        return replace(scene, c2w=poses.astype(np.float32), fov=np.repeat(scene.fov[:1], len(frames)))

    def _lights(self, scene: TriangleScene, frame: int) -> TriangleScene:
        turn = about_vertical(2 * np.pi * frame / self.frames).T
        moved = {name: getattr(scene, name).copy() for name in ("triangles", "vn")}
        for array in moved.values():
            array[scene.emitters] = array[scene.emitters] @ turn
        return replace(scene, **moved)

    def _angle(self, frame: int) -> float:
        """Radians that the camera has gone round at a frame."""
        phase = 2 * np.pi * frame / self.frames
        arc = self.arc or 360.0
        return float(phase if arc == 360 else np.radians(arc / 2) * np.sin(phase))


def motion_of(frames: int | None, light: bool, arc: float | None) -> Motion | None:
    """The motion that --camera-orbit FRAMES, --turntable-light and --arc ask for; None where they ask for none."""
    if frames is None and not light:
        return None
    return Motion(LIGHT_FRAMES if frames is None else frames, camera=frames is not None, light=light, arc=arc)


def about_vertical(angle: float) -> npt.NDArray[np.float64]:
    """[3, 3] rotation by `angle` radians about +z, counter-clockwise seen from above."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
