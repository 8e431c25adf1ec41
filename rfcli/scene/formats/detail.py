"""Triangles cut where their material varies, so that a pattern on a large triangle becomes a pattern of triangles."""

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.formats.appearance import Appearance, Materials
from rfcli.scene.formats.contents import Floats
from rfcli.scene.formats.surface import NORMALS, POSITION, Surface
from rfcli.scene.geometry import triangle_areas

CUT_ERROR = 0.02  # root mean square deviation of colours within a triangle, 0..1, that is not cut further
VISIBLE_DEVIATION = 0.1  # within a triangle: above, a picture looks different with its mean
MIN_COVERAGE = 0.5  # share of a triangle that must be there
CUT_FRACTION = 0.25  # of the largest error: triangles with more are cut together


def painted(surface: Surface, detail: int | None, notes: list[str]) -> tuple[Surface, Floats]:
    """The triangles that are there and their materials [N, 13]; cut up to `detail` triangles; notes are appended.

    Raises InputError if alpha leaves nothing.
    """
    surface, look = cut(surface, Materials(surface.parts), detail or 0)
    varies = look.deviation > VISIBLE_DEVIATION
    there = look.coverage >= MIN_COVERAGE
    if not there.any():
        raise InputError("all of the file is transparent; make its materials opaque.")
    if not there.all():
        notes.append(f"{int((~there).sum()):,} triangles are left out, as they are transparent for the most part.")
    if varies[there].any() and detail is None:
        notes.append(
            f"Colours vary within {int(varies[there].sum()):,} triangles, which get their mean; `detail` 16k cuts them."
        )
    return surface.chosen(there), look.material[there]


def cut(surface: Surface, materials: Materials, budget: int) -> tuple[Surface, Appearance]:
    """Halve triangles within which the material varies, those with the largest error first.

    It ends when none deviates by more than CUT_ERROR, or when there are `budget` triangles.
    The error of a triangle is its deviation squared times its area. It is halved across its longest edge, so its shape
    and its interpolated normals stay.

    Returns:
        The triangles, and their appearance.
    """
    look = materials.appearance(surface)
    while len(surface) < budget:
        error = look.deviation**2 * triangle_areas(surface.triangles)
        error[look.deviation <= CUT_ERROR] = 0.0
        worst = np.argsort(-error, kind="stable")[: budget - len(surface)]
        worst = worst[(error[worst] > 0) & (error[worst] >= CUT_FRACTION * error.max())]
        if len(worst) == 0:
            break
        halves = Surface(_halves(surface.corners[worst]), np.repeat(surface.part[worst], 2), surface.parts)
        new = materials.appearance(halves)
        rest = np.ones(len(surface), dtype=np.bool_)
        rest[worst] = False
        surface = Surface(
            np.concatenate([surface.corners[rest], halves.corners]),
            np.concatenate([surface.part[rest], halves.part]),
            surface.parts,
        )
        look = Appearance(
            np.concatenate([look.material[rest], new.material]),
            np.concatenate([look.coverage[rest], new.coverage]),
            np.concatenate([look.deviation[rest], new.deviation]),
        )
    order = np.argsort(surface.part, kind="stable")
    return surface.chosen(order), Appearance(look.material[order], look.coverage[order], look.deviation[order])


def _halves(corners: Floats) -> Floats:
    """[2 F, 3, COLUMNS] halves of triangles [F, 3, COLUMNS], wound like them."""
    position = corners[..., POSITION]
    longest = np.linalg.norm(position[:, [1, 2, 0]] - position, axis=2).argmax(axis=1)
    a, b, c = np.moveaxis(np.take_along_axis(corners, (np.arange(3) + longest[:, None])[..., None] % 3, 1), 1, 0)
    middle = (a + b) / 2  # of the longest edge
    length = np.linalg.norm(middle[:, NORMALS], axis=1, keepdims=True)
    middle[:, NORMALS] = np.where(length > 1e-6, middle[:, NORMALS] / np.maximum(length, 1e-6), a[:, NORMALS])
    return np.stack([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)], 1).reshape(-1, 3, corners.shape[2])
