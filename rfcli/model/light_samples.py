"""Samples of a scene's emitters, from which direct light is computed.

A small emitter is one sample. A large one, relative to its distance from the nearest surface, is cut into several;
many small ones that lie together share one. So the number of samples is bounded, however many triangles emit and
however finely a lamp is cut.
"""

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rfcli.scene.geometry import triangle_areas

Floats = npt.NDArray[np.float64]

MAX_SAMPLES = 24  # of a scene
MAX_POINTS = 72  # that shade many emitters
MAX_RELATIVE_SIZE = 0.8  # longest edge of a sample over its distance from near surfaces, while samples are left
NEAR_SHARE = 0.1  # of the surfaces; their largest distance counts, so that a ceiling behind a panel does not
MAX_DISTANCE_POINTS = 4096
ONE_POINT_SIZE = 0.1  # relative size up to which a sample is shaded by a single point
MAX_EDGES = 96  # of all polygons together
FLATNESS = 1e-4  # relative deviation of flat convex lamps from their polygons
GAUSS_POINTS = np.array([(4, 1, 1), (1, 4, 1), (1, 1, 4)]) / 6  # barycentric; exact for quadratic functions
PATTERNS = 16  # sets of shadow points; the 4 x 4 pixels of a tile have one each, so that their errors differ
SHADOW_POINTS = 64  # points of a set on each sample


@dataclass(frozen=True)
class LightSamples:
    """K samples of the emitters of one scene, shaded by Q points; P pieces of emitters belong to them.

    The irradiance from large lamps is that of their polygons, which the points only divide among the samples.

    Attributes:
        position: [Q, 3] points at which the BSDF is evaluated: the centroid of a sample, or three Gauss points.
        normal: [Q, 3] mean normal weighted by area; shorter than 1 for samples on curved lamps. Either side emits.
        point_area: [Q] area that each point stands for.
        point_sample: [Q] sample of each point.
        area: [K] of the samples.
        group: [K] number of the lamp (connected emitters) that a sample belongs to, from 0.
        shadow_points: [PATTERNS, K, SHADOW_POINTS, 3] points spread evenly over each sample's surface.
        polygons: [G, E, 3] vertices of flat convex polygons; those with fewer than E repeat their last vertex.
        polygon_group: [G] lamp of each polygon. A lamp has polygons that cover it entirely, or none.
        piece_sample: [P] sample of each piece.
        piece_triangle: [P] triangle of the scene that each piece is part of.
        piece_area: [P] area of each piece.
    """

    position: Tensor
    normal: Tensor
    point_area: Tensor
    point_sample: Tensor
    area: Tensor
    group: Tensor
    shadow_points: Tensor
    polygons: Tensor
    polygon_group: Tensor
    piece_sample: Tensor
    piece_triangle: Tensor
    piece_area: Tensor

    def radiance(self, emission: Tensor) -> Tensor:
        """[K, C] mean radiance of each sample from the emission [N, C] of all triangles; linear in it."""
        index = self.piece_sample.to(emission.device)
        flux = emission[self.piece_triangle.to(emission.device)] * self.piece_area.to(emission)[:, None]
        total = torch.zeros(len(self.area), emission.shape[1], device=emission.device, dtype=emission.dtype)
        return total.index_add(0, index, flux) / self.area.to(emission)[:, None].clamp_min(
            torch.finfo(torch.float32).tiny
        )


def light_samples(triangles: npt.NDArray[np.float32], emits: npt.NDArray[np.bool_]) -> LightSamples:
    """The samples of a scene's emitters.

    Args:
        triangles: [N, 3, 3] vertex positions.
        emits: [N] True for emitters.

    Returns:
        At most MAX_SAMPLES samples, none where nothing emits.
    """
    index = np.flatnonzero(emits)
    pieces = triangles[index].astype(np.float64)
    kept = triangle_areas(pieces) > 0
    index, pieces = index[kept], pieces[kept]
    lamp, surfaces = connected_triangles(pieces), _surface_points(triangles[~emits])
    polygons = _polygons(pieces, lamp, surfaces)
    if len(index) <= MAX_SAMPLES:
        pieces, source, size = _cut(pieces, surfaces)
        index, lamp = index[source], lamp[source]
        sample = part = np.arange(len(index))
        large = size > ONE_POINT_SIZE
    else:
        sample, part = _clusters(pieces, lamp)
        large = np.zeros(int(sample.max()) + 1, dtype=np.bool_)
    return _collect(pieces, index, lamp, sample, part, large, polygons)


def _collect(
    pieces: Floats,
    index: npt.NDArray[np.int64],
    lamp: npt.NDArray[np.int64],
    sample: npt.NDArray[np.int64],
    part: npt.NDArray[np.int64],
    large: npt.NDArray[np.bool_],
    polygons: list[tuple[int, Floats]],
) -> LightSamples:
    """The samples from pieces [P, 3, 3] with their triangle, lamp, sample and part of it, which one point shades.

    large: [K] samples with Gauss points; these are single pieces. polygons: lamp and vertices [E, 3] of each.
    """
    count, parts = (int(numbers.max()) + 1 if len(numbers) else 0 for numbers in (sample, part))
    area = triangle_areas(pieces)
    total, part_area = np.bincount(sample, area, count), np.bincount(part, area, parts)
    part_sample = np.zeros(parts, dtype=np.int64)
    part_sample[part] = sample
    centroid, normal = _means(pieces, area, part, parts)
    gauss = np.flatnonzero(large[part_sample])
    single = np.flatnonzero(~large[part_sample])
    owner = np.concatenate([single, np.repeat(gauss, 3)]).astype(np.int64)
    points = np.concatenate([centroid[single], (GAUSS_POINTS @ pieces[gauss]).reshape(-1, 3)])
    share = np.concatenate([np.ones(len(single)), np.full(3 * len(gauss), 1 / 3)])
    group, vertices, polygon_group = _groups(lamp, sample, count, polygons)
    return LightSamples(
        position=torch.from_numpy(points.astype(np.float32)),
        normal=torch.from_numpy(normal[owner].astype(np.float32)),
        point_area=torch.from_numpy((part_area[owner] * share).astype(np.float32)),
        point_sample=torch.from_numpy(part_sample[owner]),
        area=torch.from_numpy(total.astype(np.float32)),
        group=torch.from_numpy(group),
        shadow_points=torch.from_numpy(_shadow_points(pieces, area, sample, count)),
        polygons=torch.from_numpy(vertices.astype(np.float32)),
        polygon_group=torch.from_numpy(polygon_group),
        piece_sample=torch.from_numpy(sample.astype(np.int64)),
        piece_triangle=torch.from_numpy(index.astype(np.int64)),
        piece_area=torch.from_numpy(area.astype(np.float32)),
    )


def _means(pieces: Floats, area: Floats, part: npt.NDArray[np.int64], parts: int) -> tuple[Floats, Floats]:
    """[parts, 3] centroids, and mean normals, of the pieces of each part, weighted by area."""
    cross = np.cross(pieces[:, 1] - pieces[:, 0], pieces[:, 2] - pieces[:, 0])
    # Both sides emit: normals of a part's pieces are flipped to the side of its largest piece before their mean.
    largest = np.zeros(parts, dtype=np.int64)
    order = np.argsort(area, kind="stable")
    largest[part[order]] = order
    sign = np.where((cross * cross[largest[part]]).sum(1) < 0, -1.0, 1.0)
    scale = np.maximum(np.bincount(part, area, parts), 1e-300)[:, None]
    centroid = np.stack([np.bincount(part, area * pieces.mean(1)[:, k], parts) for k in range(3)], -1)
    normal = np.stack([np.bincount(part, sign * cross[:, k] / 2, parts) for k in range(3)], -1)
    return centroid / scale, normal / scale


def _groups(
    lamp: npt.NDArray[np.int64], sample: npt.NDArray[np.int64], count: int, polygons: list[tuple[int, Floats]]
) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]:
    """The lamp of each sample, the vertices [G, E, 3] of the polygons, and their lamps; lamps are numbered anew.

    Lamps whose samples hold pieces of other lamps, too, have no polygons.
    """
    group = np.zeros(count, dtype=np.int64)
    group[sample] = lamp
    names, group = np.unique(group, return_inverse=True)
    of_sample = names[group.reshape(-1)[sample]]
    mixed = {*lamp[lamp != of_sample].tolist(), *of_sample[lamp != of_sample].tolist()}
    kept = [(int(np.searchsorted(names, number)), corners) for number, corners in polygons if number not in mixed]
    longest = max((len(corners) for _, corners in kept), default=3)
    vertices = np.empty((len(kept), longest, 3))
    for row, (_, corners) in zip(vertices, kept, strict=True):
        row[:] = corners[-1]
        row[: len(corners)] = corners
    return group.reshape(-1), vertices, np.array([number for number, _ in kept], dtype=np.int64)


def _polygons(pieces: Floats, lamp: npt.NDArray[np.int64], surfaces: Floats) -> list[tuple[int, Floats]]:
    """The lamp and the vertices [E, 3] of flat convex polygons that cover the large lamps.

    A flat convex lamp is one polygon, however finely it is cut. Of others with few triangles, each triangle is one.
    """
    polygons: list[tuple[int, Floats]] = []
    edges = 0
    for number in range(int(lamp.max()) + 1 if len(lamp) else 0):
        members = pieces[lamp == number]
        outline = _convex_outline(members)
        corners = [outline] if outline is not None else list(members)
        size = max(_relative_size(polygon, surfaces) for polygon in corners[:MAX_EDGES])
        if size > ONE_POINT_SIZE and edges + sum(map(len, corners)) <= MAX_EDGES:
            polygons += [(number, polygon) for polygon in corners]
            edges += sum(map(len, corners))
    return polygons


def _convex_outline(triangles: Floats) -> Floats | None:
    """[E, 3] vertices, in order, of the convex polygon that triangles [T, 3, 3] tile; None if they do not."""
    from scipy.spatial import ConvexHull, QhullError

    area = triangle_areas(triangles)
    a, b, c = triangles[int(area.argmax())]
    x = (b - a) / np.linalg.norm(b - a)
    normal = np.cross(x, c - a)
    normal /= np.linalg.norm(normal)
    points = triangles.reshape(-1, 3) - a
    size = float(np.abs(points).max())
    if np.abs(points @ normal).max() > FLATNESS * size:
        return None
    flat = points @ np.stack([x, np.cross(normal, x)], -1)
    try:
        hull = ConvexHull(flat)
    except QhullError:
        return None
    if abs(hull.volume - area.sum()) > FLATNESS * area.sum():
        return None
    outline = flat[hull.vertices]
    before, after = outline - np.roll(outline, 1, 0), np.roll(outline, -1, 0) - outline
    bend = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
    corners: Floats = triangles.reshape(-1, 3)[hull.vertices[bend > FLATNESS * size**2]]
    return corners


def _shadow_points(pieces: Floats, area: Floats, sample: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.float32]:
    """[PATTERNS, count, SHADOW_POINTS, 3]: a Sobol sequence on each sample, shifted differently in each pattern."""
    sobol = torch.quasirandom.SobolEngine(2).draw(SHADOW_POINTS).double().numpy()  # type: ignore[no-untyped-call]
    plastic = 1.32471795724474602596  # its powers give shifts that fill the unit square evenly (Roberts 2018)
    shift = (0.5 + np.arange(PATTERNS)[:, None] / np.array([plastic, plastic**2])) % 1.0
    unit = (sobol[None] + shift[:, None]) % 1.0  # [PATTERNS, SHADOW_POINTS, 2]
    points = np.empty((PATTERNS, count, SHADOW_POINTS, 3), dtype=np.float32)
    for number in range(count):
        members = np.flatnonzero(sample == number)
        edges = np.concatenate([[0.0], np.cumsum(area[members])]) / area[members].sum()
        u, v = unit[..., 0], unit[..., 1]
        member = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, len(members) - 1)
        u = np.clip((u - edges[member]) / (edges[member + 1] - edges[member]), 0, 1)
        root = np.sqrt(u)[..., None]
        a, b, c = np.moveaxis(pieces[members[member]], -2, 0)
        points[:, number] = a * (1 - root) + root * (b * (1 - v[..., None]) + c * v[..., None])
    return points


def connected_triangles(pieces: Floats) -> npt.NDArray[np.int64]:
    """[E] the number of the connected component of each triangle; triangles that share a vertex are connected."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(pieces):
        return np.empty(0, np.int64)
    scale = np.abs(pieces).max() or 1.0
    corner = np.unique(np.round(pieces.reshape(-1, 3) / scale * 1e6), axis=0, return_inverse=True)[1].reshape(-1)
    triangle = np.repeat(np.arange(len(pieces)), 3)
    links = coo_matrix((np.ones(len(corner)), (triangle, corner)), shape=(len(pieces), int(corner.max()) + 1)).tocsr()
    return np.asarray(connected_components(links @ links.T, directed=False)[1], dtype=np.int64)


def _surface_points(triangles: npt.NDArray[np.float32]) -> Floats:
    """Points on surfaces by which distances to them are estimated: some vertices, edge midpoints and centroids."""
    t = triangles.astype(np.float64)
    points = np.concatenate([t.reshape(-1, 3), (t[:, [1, 2, 0]] + t).reshape(-1, 3) / 2, t.mean(1)])
    return points[:: max(1, len(points) // MAX_DISTANCE_POINTS)]


def _cut(pieces: Floats, surfaces: Floats) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Emitters cut into quarters, the largest ones first: the pieces, their sources, and their relative sizes."""
    queue: list[tuple[float, int, int, Floats]] = []
    for number, piece in enumerate(pieces):
        heapq.heappush(queue, (-_relative_size(piece, surfaces), number, number, piece))
    count = len(queue)
    while queue and len(queue) + 3 <= MAX_SAMPLES and -queue[0][0] > MAX_RELATIVE_SIZE:
        _, _, source, piece = heapq.heappop(queue)
        for part in _quarters(piece):
            heapq.heappush(queue, (-_relative_size(part, surfaces), count, source, part))
            count += 1
    queue.sort(key=lambda entry: (entry[2], entry[1]))
    sources = np.array([entry[2] for entry in queue], dtype=np.int64)
    size = np.array([-entry[0] for entry in queue])
    return (np.stack([entry[3] for entry in queue]) if queue else pieces), sources, size


def _relative_size(piece: Floats, surfaces: Floats) -> float:
    """Longest edge of a polygon [E, 3] over its distance from the nearest NEAR_SHARE of the surface points."""
    longest = float(np.linalg.norm(piece - np.roll(piece, -1, 0), axis=1).max())
    if not len(surfaces):
        return longest
    distance = float(np.quantile(np.linalg.norm(surfaces - piece.mean(0), axis=1), NEAR_SHARE))
    return longest / max(distance, longest / 4, 1e-12)


def _quarters(piece: Floats) -> Floats:
    """[4, 3, 3] the triangle cut at the midpoints of its edges."""
    a, b, c = piece
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    return np.array([(a, ab, ca), (ab, b, bc), (ca, bc, c), (bc, ca, ab)])


def _clusters(pieces: Floats, lamp: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """[E] the sample of each of many emitters, and the part: boxes are halved, those with the largest area first.

    Lamps are separated first if there are fewer of them than samples. MAX_SAMPLES boxes are the samples, which are
    halved further into at most MAX_POINTS parts.
    """
    area, centre = triangle_areas(pieces), pieces.mean(1)

    def spread(box: npt.NDArray[np.int64]) -> float:
        return float(area[box].sum() * np.ptp(centre[box], axis=0).max()) if len(box) > 1 else -1.0

    if lamp.max() + 1 <= MAX_SAMPLES // 2:
        boxes = [np.flatnonzero(lamp == number) for number in range(int(lamp.max()) + 1)]
    else:
        boxes = [np.arange(len(pieces))]
    spreads = [spread(box) for box in boxes]
    sample = np.zeros(len(pieces), dtype=np.int64)
    while len(boxes) < MAX_POINTS and max(spreads) >= 0:
        number = int(np.argmax(spreads))
        box = boxes[number]
        axis = int(np.argmax(np.ptp(centre[box], axis=0)))
        order = box[np.argsort(centre[box, axis], kind="stable")]
        half = int(np.searchsorted(np.cumsum(area[order]), area[order].sum() / 2))
        half = min(max(half, 1), len(order) - 1)
        halves = [order[:half], order[half:]]
        boxes[number : number + 1], spreads[number : number + 1] = halves, [spread(box) for box in halves]
        if len(boxes) <= MAX_SAMPLES:
            sample = _numbers(boxes, len(pieces))
    return sample, _numbers(boxes, len(pieces))


def _numbers(boxes: list[npt.NDArray[np.int64]], count: int) -> npt.NDArray[np.int64]:
    """[count] the box that each emitter is in."""
    number = np.empty(count, dtype=np.int64)
    for place, box in enumerate(boxes):
        number[box] = place
    return number
