"""Makes the meshes of the example scenes from formulas.

python examples/make_meshes.py writes examples/meshes/*.obj
"""

from pathlib import Path

import numpy as np

Mesh = tuple[np.ndarray, np.ndarray]  # vertices [V, 3], faces [F, 3], counter-clockwise seen from outside

# Profiles (radius, height) of surfaces of revolution around the z axis, from bottom to top.
VASE = [(0, 0), (0.17, 0), (0.18, 0.02), (0.14, 0.05), (0.18, 0.12), (0.25, 0.24), (0.28, 0.36), (0.27, 0.48)]
VASE += [(0.21, 0.60), (0.13, 0.70), (0.10, 0.78), (0.11, 0.85), (0.16, 0.92), (0.15, 0.93), (0.09, 0.84), (0, 0.78)]
PAWN = [(0, 0), (0.20, 0), (0.20, 0.06), (0.17, 0.09), (0.14, 0.11), (0.09, 0.17), (0.07, 0.25), (0.065, 0.34)]
PAWN += [(0.12, 0.36), (0.12, 0.38), (0.07, 0.40), (0.11, 0.44), (0.125, 0.50), (0.11, 0.56), (0.06, 0.61), (0, 0.625)]
QUEEN = [(0, 0), (0.23, 0), (0.23, 0.06), (0.20, 0.09), (0.16, 0.12), (0.11, 0.20), (0.085, 0.32), (0.075, 0.50)]
QUEEN += [(0.075, 0.60), (0.13, 0.62), (0.13, 0.65), (0.08, 0.67), (0.10, 0.76), (0.15, 0.88), (0.12, 0.90)]
QUEEN += [(0.07, 0.87), (0.04, 0.89), (0.05, 0.93), (0.03, 0.97), (0, 0.98)]
BOTTLE = [(0, 0), (0.12, 0), (0.13, 0.02), (0.13, 0.30), (0.12, 0.38), (0.08, 0.45), (0.045, 0.50), (0.04, 0.62)]
BOTTLE += [(0.055, 0.63), (0.055, 0.66), (0.03, 0.66), (0, 0.65)]


def join(*parts: Mesh) -> Mesh:
    """Joins meshes into one."""
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces + offset for (_, faces), offset in zip(parts, offsets, strict=False)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


def patch(columns: int, rows: int) -> np.ndarray:
    """Faces of a grid of (columns + 1) x (rows + 1) vertices; the column index varies fastest."""
    i, j = np.meshgrid(np.arange(columns), np.arange(rows))
    a = (i + j * (columns + 1)).reshape(-1, 1)
    b, c, d = a + 1, a + columns + 2, a + columns + 1
    return np.hstack([a, b, c, a, c, d]).reshape(-1, 3)


def grid(columns: int, rows: int) -> Mesh:
    """A grid on the unit square around the origin, facing +z."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, columns + 1), np.linspace(-0.5, 0.5, rows + 1))
    return np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3), patch(columns, rows)


def checkers(parity: int) -> Mesh:
    """The light (parity 0) or dark (1) squares of a chessboard on the unit square."""
    vertices, faces = grid(8, 8)
    square = np.arange(64)
    keep = (square % 8 + square // 8) % 2 == parity
    return vertices, faces.reshape(64, 2, 3)[keep].reshape(-1, 3)


def box(nx: int, ny: int, nz: int, size: tuple = (1, 1, 1), centre: tuple = (0, 0, 0)) -> Mesh:
    """A box; its sides are grids with nx, ny and nz cells along the axes."""
    sides = []
    for axis, (u, v) in enumerate([(1, 2), (2, 0), (0, 1)]):
        cells = (nx, ny, nz)[u], (nx, ny, nz)[v]
        flat, faces = grid(*cells)
        for sign in (1, -1):
            side = np.empty_like(flat)
            side[:, u], side[:, v], side[:, axis] = flat[:, 0], flat[:, 1], sign * 0.5
            sides.append((side, faces[:, ::sign]))
    vertices, faces = join(*sides)
    return vertices * size + np.array(centre), faces


def lathe(profile: list, sections: int) -> Mesh:
    """A surface of revolution around z; the profile begins and ends on the axis."""
    radius, height = np.array(profile).T
    angle = np.linspace(0, 2 * np.pi, sections, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    vertices = np.concatenate([np.c_[r * ring, np.full(sections, z)] for r, z in zip(radius, height, strict=True)])
    index = np.arange(len(profile) * sections).reshape(len(profile), sections)
    index[radius == 0] = index[radius == 0][:, :1]  # one vertex where the profile meets the axis
    index = np.c_[index, index[:, :1]]
    faces = index.ravel()[patch(sections, len(profile) - 1)]
    distinct = [len(set(face)) == 3 for face in faces.tolist()]
    return vertices, faces[distinct]


def torus_knot(p: int, q: int, along: int, around: int, thickness: float) -> Mesh:
    """A tube along the (p, q) torus knot, about 1 wide."""
    t = np.linspace(0, 2 * np.pi, along, endpoint=False)
    r = 0.3 + 0.12 * np.cos(q * t)
    curve = np.stack([r * np.cos(p * t), r * np.sin(p * t), 0.16 * np.sin(q * t)], axis=-1)
    tangent = np.roll(curve, -1, axis=0) - np.roll(curve, 1, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    out = curve - np.c_[0.3 * np.cos(p * t), 0.3 * np.sin(p * t), 0 * t]  # from the core of the torus
    side = np.cross(tangent, out)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, tangent)
    a = np.linspace(0, 2 * np.pi, around, endpoint=False)[:, None]
    vertices = curve[:, None] + thickness * (np.cos(a) * up[:, None] + np.sin(a) * side[:, None])
    index = np.pad(np.arange(along * around).reshape(along, around), (0, 1), mode="wrap")
    return vertices.reshape(-1, 3), index.ravel()[patch(around, along)]


def table() -> Mesh:
    """A square table, 1 wide and 0.75 high, standing on z = 0."""
    legs = [box(1, 1, 4, (0.07, 0.07, 0.69), (x, y, 0.345)) for x in (-0.43, 0.43) for y in (-0.43, 0.43)]
    return join(box(6, 6, 1, (1, 1, 0.06), (0, 0, 0.72)), *legs)


def chair() -> Mesh:
    """A chair, 0.45 wide and 0.9 high, standing on z = 0, with its back at +y."""
    legs = [box(1, 1, 3, (0.05, 0.05, 0.42), (x, y, 0.21)) for x in (-0.2, 0.2) for y in (-0.2, 0.2)]
    posts = [box(1, 1, 3, (0.05, 0.05, 0.44), (x, 0.2, 0.68)) for x in (-0.2, 0.2)]
    slats = [box(4, 1, 1, (0.35, 0.03, 0.09), (0, 0.2, z)) for z in (0.62, 0.80)]
    return join(box(4, 4, 1, (0.45, 0.45, 0.04), (0, 0, 0.44)), *legs, *posts, *slats)


def stairs(steps: int) -> Mesh:
    """Spiral stairs around a column, from z = 0 to 1."""
    parts = [lathe([(0, 0), (0.08, 0), (0.08, 0.35), (0.08, 0.7), (0.08, 1), (0, 1)], 16)]
    for k in range(steps):
        vertices, faces = box(3, 2, 1, (0.36, 0.2, 0.06), (0.25, 0, 0.03 + 0.9 * k / steps))
        c, s = np.cos(1.6 * np.pi * k / steps), np.sin(1.6 * np.pi * k / steps)
        parts.append((vertices @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]), faces))
    return join(*parts)


def sphere(rings: int) -> Mesh:
    """A sphere of diameter 1 around the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    profile = np.stack([0.5 * np.cos(angle), 0.5 * np.sin(angle)], axis=-1)
    profile[[0, -1], 0] = 0
    return lathe(profile.tolist(), 2 * rings)


def write_obj(path: Path, mesh: Mesh) -> None:
    """Writes vertices and faces as Wavefront OBJ."""
    vertices, faces = mesh
    lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in vertices + 0.0]
    lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Writes all meshes."""
    folder = Path(__file__).parent / "meshes"
    folder.mkdir(exist_ok=True)
    meshes = {
        "plane": grid(8, 8),
        "panel": grid(2, 2),
        "lamp": (np.array([[-0.5, -0.28868, 0], [0.5, -0.28868, 0], [0, 0.57735, 0]]), np.array([[0, 1, 2]])),
        "short-box": box(4, 4, 4),
        "tall-box": box(3, 3, 6),
        "light-squares": checkers(0),
        "dark-squares": checkers(1),
        "vase": lathe(VASE, 24),
        "pawn": lathe(PAWN, 20),
        "queen": lathe(QUEEN, 20),
        "bottle": lathe(BOTTLE, 20),
        "sphere": sphere(10),
        "torus-knot": torus_knot(2, 3, 66, 13, 0.075),
        "table": table(),
        "chair": chair(),
        "stairs": stairs(14),
    }
    for name, mesh in meshes.items():
        write_obj(folder / f"{name}.obj", mesh)


if __name__ == "__main__":
    main()
