"""The camera of a browser window, and the square image of the model that contains what the window shows.

A window of any shape shows the middle of a square image: of a wide one the middle rows, with the vertical angle of the
window, of a high one the middle columns. The square's own angle is that of the window's longer side.
"""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rfcli.scene.geometry import look_at

Floats = npt.NDArray[np.float32]
Pixels = TypeVar("Pixels", bound=np.generic)

MAX_SQUARE_FOV = 178.0  # degrees; at 180 the image is infinite
FLIP = np.diag([1.0, -1.0, -1.0])  # viser's cameras look down +z with +y down, ours down -z with +y up
MIN_ORBIT_DISTANCE = 0.1  # scene units, between a camera and the point that it turns around
MAX_ROLL = 1e-3  # vertical component of a camera's right axis up to which it counts as upright


@dataclass(frozen=True)
class WindowCamera:
    """The camera of one window.

    Attributes:
        c2w: 16 numbers, the rows of the camera-to-world matrix; the camera looks down its -Z, +Y is up.
        fov: Vertical field of view of the window, degrees.
        aspect: Width of the window over its height.
    """

    c2w: tuple[float, ...]
    fov: float
    aspect: float

    @classmethod
    def of_viser(
        cls, wxyz: npt.ArrayLike, position: npt.ArrayLike, fov: float, width: int, height: int
    ) -> "WindowCamera":
        """From the pose of a viser camera: a unit quaternion, a position, and the vertical angle in radians."""
        pose = np.eye(4)
        pose[:3, :3] = rotation_of(wxyz) @ FLIP
        pose[:3, 3] = position
        return cls(tuple(pose.reshape(-1).tolist()), math.degrees(fov), max(width, 1) / max(height, 1))

    @property
    def matrix(self) -> Floats:
        """[4, 4] camera to world."""
        return np.array(self.c2w, dtype=np.float32).reshape(4, 4)

    @property
    def square_fov(self) -> float:
        """Field of view, in degrees, of the square image."""
        widest = math.tan(math.radians(self.fov) / 2) * max(self.aspect, 1.0)
        return min(math.degrees(2 * math.atan(widest)), MAX_SQUARE_FOV)

    def crop(self, image: npt.NDArray[Pixels]) -> npt.NDArray[Pixels]:
        """The part of a square image [S, S, ...] that the window shows; an even number of rows or columns is cut."""
        side = image.shape[0]
        shown = side / max(self.aspect, 1 / self.aspect)
        cut = min(round((side - shown) / 2), (side - 1) // 2)
        kept = slice(cut, side - cut)
        return image[kept] if self.aspect > 1 else image[:, kept]


def rotation_of(wxyz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """[3, 3] rotation of a quaternion w, x, y, z of any length."""
    w, x, y, z = np.asarray(wxyz, dtype=np.float64) / np.linalg.norm(wxyz)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def window_fov(square_fov: float, aspect: float) -> float:
    """Vertical angle, in degrees, of a window in which a square image of this angle is entirely visible."""
    return math.degrees(2 * math.atan(math.tan(math.radians(square_fov) / 2) / min(aspect, 1.0)))


@dataclass(frozen=True)
class OrbitPose:
    """A camera as the page's controls need it: position, the point that it turns around, and the direction of up."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    up: tuple[float, float, float]


def orbit_pose(c2w: Floats, centre: npt.ArrayLike) -> OrbitPose:
    """The pose of a camera [4, 4]; it turns around the point of its axis that is nearest to the scene's centre.

    Up is the world's vertical, so that the camera orbits upright, unless the camera is rolled or looks along it.
    """
    position, right, up, back = (c2w[:3, column].astype(np.float64) for column in (3, 0, 1, 2))
    distance = max(float(-back @ (np.asarray(centre, dtype=np.float64) - position)), MIN_ORBIT_DISTANCE)
    upright = abs(right[2]) < MAX_ROLL and up[2] > MAX_ROLL
    x, y, z = position
    tx, ty, tz = position - distance * back
    ux, uy, uz = (0.0, 0.0, 1.0) if upright else up
    return OrbitPose((x, y, z), (tx, ty, tz), (ux, uy, uz))


def default_camera(triangles: Floats) -> tuple[Floats, float]:
    """Camera to world [4, 4] and degrees for a scene without cameras: all of it, from the front and a little above."""
    corners = triangles.reshape(-1, 3).astype(np.float64)
    centre = (corners.min(0) + corners.max(0)) / 2
    radius = max(float(np.linalg.norm(corners - centre, axis=1).max()), MIN_ORBIT_DISTANCE)
    fov = 45.0
    direction = np.array([0.0, -1.0, 0.4]) / np.linalg.norm([0.0, -1.0, 0.4])
    position = centre + direction * radius / math.sin(math.radians(fov) / 2)
    return look_at(position, centre).astype(np.float32), fov
