"""Triangles of a file with all that varies over them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.scene.formats.contents import Floats, Indices, Part
from rfcli.scene.geometry import face_normals, triangle_areas

# Columns of `Surface.corners`, what a corner of a triangle has.
POSITION, NORMALS, COLOUR, UV, UV1 = slice(0, 3), slice(3, 6), slice(6, 10), slice(10, 12), slice(12, 14)
COLUMNS = 14
MIN_AGREEMENT = 0.3  # cosine between a normal of a file and that of the triangle, 73 degrees
MIN_SIZE = 1e-9  # square root of a triangle's area over the extent of all: below, it has no area


@dataclass(frozen=True, eq=False)
class Surface:
    """N triangles.

    Attributes:
        corners: [N, 3, COLUMNS] position, unit normal, linear rgba, two sets of texture coordinates of each corner.
        part: [N] number of the part that each triangle belongs to.
        parts: Names and materials.
    """

    corners: Floats
    part: Indices
    parts: Sequence[Part]

    def __len__(self) -> int:
        return len(self.corners)

    @property
    def triangles(self) -> Floats:
        """[N, 3, 3] positions."""
        return self.corners[..., POSITION]

    def chosen(self, members: npt.NDArray[np.bool_] | Indices) -> "Surface":
        """Some of the triangles."""
        return replace(self, corners=self.corners[members], part=self.part[members])


def surface_of(parts: Sequence[Part], smooth_normals: Floats | None = None) -> Surface:
    """All triangles of the parts that have an area.

    Triangles are wound so that their normals point to the front.

    Args:
        parts: The parts.
        smooth_normals: [F, 3, 3] normals for parts that have none, of all faces of all parts; None: those of the
            triangle. These also replace normals of a file that are 0 or far from that of their triangle.
    """
    blocks, start = [], 0
    for part in parts:
        corners = np.zeros((len(part.faces), 3, COLUMNS))
        corners[..., POSITION] = part.vertices[part.faces]
        flat = np.repeat(face_normals(corners[..., POSITION])[:, None], 3, axis=1)
        own = flat if smooth_normals is None else smooth_normals[start : start + len(part.faces)]
        start += len(part.faces)
        given = own if part.normals is None else part.normals[part.faces]
        given = given / np.maximum(np.linalg.norm(given, axis=-1, keepdims=True), 1e-30)
        agreement = (given * flat).sum(axis=-1)
        backward = (agreement < -MIN_AGREEMENT).all(axis=1)  # wound the other way, not shaded wrongly
        usable = backward | (agreement > MIN_AGREEMENT).all(axis=1)
        corners[..., NORMALS] = np.where(usable[:, None, None], given, own)
        corners[..., COLOUR] = 1.0 if part.colours is None else part.colours[part.faces]
        if part.face_colours is not None:
            corners[..., COLOUR] *= part.face_colours[:, None]
        for columns, uv in ((UV, part.uv), (UV1, part.uv1)):
            corners[..., columns] = 0.0 if uv is None else uv[part.faces]
        corners[backward] = corners[backward][:, ::-1]
        blocks.append(corners)
    number = np.repeat(np.arange(len(parts)), [len(block) for block in blocks])
    surface = Surface(np.concatenate(blocks), number, parts)
    extent = np.ptp(surface.triangles.reshape(-1, 3), axis=0).max() if len(surface) else 0.0
    return surface.chosen(triangle_areas(surface.triangles) > (MIN_SIZE * extent) ** 2)
