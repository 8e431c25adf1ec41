"""Shapes made of closed boxes with cells of equal size: a box, furniture, stairs, an arch, a terrain."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points, grid_mesh, rectangle

Box = tuple[tuple[float, float, float], tuple[float, float, float]]  # low and high corner


def box(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A box with sides of 0.4 to 1; a third are cubes."""
    size = np.ones(3) if rng.random() < 1 / 3 else rng.uniform(0.4, 1.0, 3)
    return boxes([((0.0, 0.0, 0.0), (size[0], size[1], size[2]))], faces)


def boxes(corners: list[Box], faces: int) -> trimesh.Trimesh:
    """Separate closed boxes with cells of equal size, the smallest that `faces` allows."""
    sizes = np.array([np.subtract(high, low) for low, high in corners])
    longest = sizes.max()
    for divisions in range(64, 0, -1):
        cells = np.maximum(1, np.round(sizes * divisions / longest)).astype(int)
        x, y, z = cells.T
        if 4 * (x * y + y * z + z * x).sum() <= faces:
            break
    return joined(
        [closed_box(np.array(low), size, cell) for (low, _), size, cell in zip(corners, sizes, cells, strict=True)]
    )


def closed_box(low: Points, size: Points, cells: Points) -> trimesh.Trimesh:
    """One box with its low corner at `low`, facing outwards; cells: [3] number along each axis."""
    sides = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        face = rectangle(size[u], size[v], int(cells[u]), int(cells[v]))
        for sign in (-1, 1):
            points = np.zeros_like(face)
            points[..., u], points[..., v] = face[..., 0], face[..., 1]
            points[..., axis] = sign * size[axis] / 2
            sides.append(grid_mesh(points if sign > 0 else points[:, ::-1]))
    mesh = joined(sides)
    mesh.merge_vertices(digits_vertex=7)
    mesh.apply_translation(low + size / 2)
    return mesh


def joined(meshes: list[trimesh.Trimesh]) -> trimesh.Trimesh:
    """All meshes in one, without merging vertices."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]
    return trimesh.Trimesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces), process=False)


def table(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A top on four legs."""
    w, d, h = rng.uniform(0.7, 1.2), rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.9)
    return boxes([*_legs(w, d, h, rng.uniform(0.05, 0.12)), ((0, 0, h), (w, d, h + rng.uniform(0.05, 0.12)))], faces)


def chair(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A seat on four legs with a back."""
    w, d, h, t = rng.uniform(0.45, 0.6), rng.uniform(0.45, 0.6), rng.uniform(0.4, 0.55), rng.uniform(0.05, 0.09)
    back = ((0.0, d - t, h + t), (w, d, h + rng.uniform(0.4, 0.7)))
    return boxes([*_legs(w, d, h, t), ((0.0, 0.0, h), (w, d, h + t)), back], faces)


def shelf(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Boards between two sides, with or without a back."""
    w, d, h, t = rng.uniform(0.4, 1.0), rng.uniform(0.2, 0.4), rng.uniform(0.6, 1.2), rng.uniform(0.04, 0.08)
    boards: list[Box] = [((0.0, 0.0, 0.0), (t, d, h)), ((w - t, 0.0, 0.0), (w, d, h))]
    for z in np.linspace(0.0, h - t, int(rng.integers(2, 5))) * rng.uniform(0.85, 1.0):
        boards.append(((t, 0.0, z), (w - t, d, z + t)))
    if rng.random() < 0.5:
        boards.append(((t, d, 0.0), (w - t, d + t / 2, h)))
    return boxes(boards, faces)


def _legs(width: float, depth: float, height: float, thick: float) -> list[Box]:
    """Four legs at the corners."""
    return [((x, y, 0.0), (x + thick, y + thick, height)) for x in (0.0, width - thick) for y in (0.0, depth - thick)]


def stairs(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Steps rising along +x."""
    count, rise, run = int(rng.integers(3, 6)), rng.uniform(0.12, 0.25), rng.uniform(0.15, 0.3)
    width = rng.uniform(0.4, 1.0)
    return boxes([((i * run, 0.0, 0.0), ((i + 1) * run, width, (i + 1) * rise)) for i in range(count)], faces)


def arch(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Two posts under a beam."""
    w, d, h, t = rng.uniform(0.6, 1.2), rng.uniform(0.2, 0.6), rng.uniform(0.5, 1.2), rng.uniform(0.12, 0.25)
    return boxes([((0.0, 0.0, 0.0), (t, d, h)), ((w - t, 0.0, 0.0), (w, d, h)), ((0.0, 0.0, h), (w, d, h + t))], faces)


def terrain(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A block with a fractal top: waves of decreasing amplitude (Musgrave 1989), rounded or with sharp ridges."""
    mesh = boxes([((0.0, 0.0, 0.0), (1.0, float(rng.uniform(0.6, 1.0)), 0.12))], faces)
    ground = np.asarray(mesh.vertices)[:, :2]
    height, sharp = np.zeros(len(ground)), rng.uniform(0.0, 1.0)
    for octave in range(5):
        waves = rng.normal(size=(4, 2)) * 3.0 * 1.9**octave
        swell = np.sin(ground @ waves.T + rng.uniform(0, 2 * np.pi, 4))
        height += 0.5**octave * (sharp * (0.64 - np.abs(swell)) + (1 - sharp) * 0.7 * swell).mean(axis=1)
    relief = rng.uniform(0.25, 0.7) * (height - height.min())
    mesh.vertices[:, 2] *= 1.0 + relief / 0.12  # the bottom stays at 0, the sides stretch
    return mesh
