"""Motion of cameras and lights in a video: looped rotations around the vertical axis of the world."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.scene.geometry import first_hits

MAX_FRAMES = 9999  # names of frame files have four digits

# Of `visible_arc`, in units of the scene and degrees.
WALL_DISTANCE = 0.48  # from the vertical axis: objects are nearer, the walls of the published templates are at 0.5
HALF_WIDTH = 0.3  # of the region around the axis that must stay visible
ARC_STEP = 5  # degrees between tested positions


@dataclass(frozen=True)
class Motion:
    """A looped motion; at least one of camera and light moves.

    Attributes:
        frames: Number of frames, 2 to 9,999.
        camera: Whether the camera moves around the axis.
        light: Whether the light moves around the axis, through 360 degrees.
        arc: Degrees of the camera's orbit, above 0 to 360; below 360 the camera swings back and forth. None = as
            `visible_arc` finds.

    Raises:
        InputError: Too few or too many frames, or an arc out of range.
    """

    frames: int
    camera: bool = True
    light: bool = False
    arc: float | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= MAX_FRAMES:
            raise InputError(f"`camera_orbit` {self.frames} is not possible; give 2 to {MAX_FRAMES:,} frames.")
        if self.arc is not None and not 0 < self.arc <= 360:
            raise InputError(f"`arc` {self.arc:g} is not possible; give degrees above 0 and up to 360.")

    @property
    def name(self) -> str:
        """Suffix of the video's file name."""
        return "-".join(part for part, moves in (("orbit", self.camera), ("light", self.light)) if moves)

    def scenes(self, scene: TriangleScene, frames: Sequence[int]) -> Iterator[tuple[Sequence[int], TriangleScene]]:
        """The scene, which has one camera, at the given frames: frame numbers, and a scene with a camera for each.

        While the light stands still, all frames are one scene with many cameras, whose view-independent stage runs
        only once.
        """
        if not self.light:
            yield frames, self._with_moved_camera(scene, frames)
            return
        for frame in frames:
            yield [frame], self._with_moved_light(self._with_moved_camera(scene, [frame]), frame)

    def _with_moved_camera(self, scene: TriangleScene, frames: Sequence[int]) -> TriangleScene:
        rotations = [rotation_about_vertical(self._angle(frame) if self.camera else 0.0) for frame in frames]
        poses = np.stack([scene.c2w[0]] * len(frames)).astype(np.float64)
        poses[:, :3] = np.stack(rotations) @ poses[:, :3]
        return replace(scene, c2w=poses.astype(np.float32), fov=np.repeat(scene.fov[:1], len(frames)))

    def _with_moved_light(self, scene: TriangleScene, frame: int) -> TriangleScene:
        rotation = rotation_about_vertical(2 * np.pi * frame / self.frames).T
        moved = {name: getattr(scene, name).copy() for name in ("triangles", "vn")}
        for array in moved.values():
            array[scene.emitters] = array[scene.emitters] @ rotation
        return replace(scene, **moved)

    def _angle(self, frame: int) -> float:
        """Rotation of the camera at a frame, in radians."""
        phase = 2 * np.pi * frame / self.frames
        arc = self.arc or 360.0
        return float(phase if arc == 360 else np.radians(arc / 2) * np.sin(phase))


@dataclass(frozen=True)
class CameraPath:
    """A camera that moves along the cameras of a scene, from the first to the last, through all in between.

    Positions follow a centripetal Catmull-Rom spline (Yuksel et al., Computer-Aided Design 43, 2011), which has
    neither loops nor overshoot between two cameras; rotations and angles of view are interpolated from one camera to
    the next.

    Attributes:
        frames: Number of frames, 2 to 9,999.

    Raises:
        InputError: Too few or too many frames.
    """

    frames: int

    name = "path"  # suffix of the video's file name

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= MAX_FRAMES:
            raise InputError(f"`frames` {self.frames} is not possible; give 2 to {MAX_FRAMES:,} frames.")

    def scenes(self, scene: TriangleScene, frames: Sequence[int]) -> Iterator[tuple[Sequence[int], TriangleScene]]:
        """The scene with a camera for each of the given frames, and the frame numbers.

        Raises InputError if the scene has fewer than two cameras.
        """
        if len(scene.c2w) < 2:
            raise InputError("A path needs two cameras or more; add one.")
        places = [frame / (self.frames - 1) * (len(scene.c2w) - 1) for frame in frames]
        yield (
            frames,
            replace(
                scene,
                c2w=np.stack([_pose_between(scene.c2w, place) for place in places]),
                fov=np.interp(places, np.arange(len(scene.fov)), scene.fov).astype(np.float32),
            ),
        )


def _pose_between(c2w: npt.NDArray[np.float32], place: float) -> npt.NDArray[np.float32]:
    """[4, 4] pose at `place` from 0 to V - 1 along the cameras [V, 4, 4]."""
    from scipy.spatial.transform import Rotation, Slerp

    first = min(int(place), len(c2w) - 2)
    pose = np.eye(4)
    between = Slerp([0, 1], Rotation.from_matrix(c2w[first : first + 2, :3, :3].astype(np.float64)))
    pose[:3, :3] = between(place - first).as_matrix()
    positions = c2w[:, :3, 3].astype(np.float64)
    ends = [2 * positions[0] - positions[1], *positions, 2 * positions[-1] - positions[-2]]
    pose[:3, 3] = _catmull_rom(np.stack(ends[first : first + 4]), place - first)
    return pose.astype(np.float32)


def _catmull_rom(points: npt.NDArray[np.float64], t: float) -> npt.NDArray[np.float64]:
    """[3] point at t (0 to 1) between the middle two of four points [4, 3], by the pyramid of Barry and Goldman."""
    steps = np.maximum(np.sqrt(np.linalg.norm(np.diff(points, axis=0), axis=1)), 1e-9)  # square roots: centripetal
    knots = np.concatenate([[0.0], np.cumsum(steps)])
    at = knots[1] + t * (knots[2] - knots[1])
    level = points
    for ends in ([(0, 1), (1, 2), (2, 3)], [(0, 2), (1, 3)], [(1, 2)]):
        weights = [(at - knots[a]) / (knots[b] - knots[a]) for a, b in ends]
        level = np.stack([level[i] + w * (level[i + 1] - level[i]) for i, w in enumerate(weights)])
    return np.asarray(level[0])


def visible_arc(scene: TriangleScene) -> float:
    """Degrees, centred on the first camera, within which no wall hides the middle of the scene.

    360 if no wall hides it from any position on the orbit, or if one already hides it from the first camera.
    """
    distant = np.linalg.norm(scene.triangles[..., :2], axis=-1).max(axis=-1) > WALL_DISTANCE
    walls = scene.triangles[distant & ~scene.emitters].astype(np.float64)
    if len(walls) == 0 or _is_hidden(scene, walls, 0):
        return 360.0
    sides = []
    for direction in (1, -1):
        angles = range(ARC_STEP, 181, ARC_STEP)
        hidden = (angle - ARC_STEP for angle in angles if _is_hidden(scene, walls, direction * angle))
        sides.append(next(hidden, 180))
    return float(2 * min(sides)) or 2.0 * ARC_STEP


def _is_hidden(scene: TriangleScene, walls: npt.NDArray[np.float64], degrees: float) -> bool:
    """Whether a wall hides part of the middle from the first camera rotated by this angle."""
    rotation = rotation_about_vertical(np.radians(degrees))
    eye = rotation @ scene.c2w[0, :3, 3].astype(np.float64)
    right = rotation @ scene.c2w[0, :3, 0].astype(np.float64)
    rays = np.stack([offset * right - eye for offset in (-HALF_WIDTH, 0.0, HALF_WIDTH)])
    distances, *_ = first_hits(eye, rays, walls)
    return bool((distances < 1 - HALF_WIDTH / np.linalg.norm(eye)).any())


def rotation_about_vertical(angle: float) -> npt.NDArray[np.float64]:
    """[3, 3] rotation by `angle` radians about +z, counter-clockwise seen from above."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
