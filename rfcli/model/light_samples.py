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
MAX_RELATIVE_SIZE = 0.4  # longest edge of a sample over its distance from near surfaces, while samples are left
NEAR_SHARE = 0.1  # of the surfaces; their largest distance counts, so that a ceiling behind a panel does not
MAX_DISTANCE_POINTS = 4096
ONE_POINT_SIZE = 0.1  # relative size up to which a sample is shaded by a single point
GAUSS_POINTS = np.array([(4, 1, 1), (1, 4, 1), (1, 1, 4)]) / 6  # barycentric; exact for quadratic functions
PATTERNS = 16  # sets of shadow points; the 4 x 4 pixels of a tile have one each, so that their errors differ
SHADOW_POINTS = 64  # points of a set on each sample


@dataclass(frozen=True)
class LightSamples:
    """K samples of the emitters of one scene, shaded by Q points; P pieces of emitters belong to them.

    Attributes:
        position: [Q, 3] points at which the BSDF is evaluated: the centroid of a sample, or three Gauss points.
        normal: [Q, 3] mean normal weighted by area; shorter than 1 for samples on curved lamps. Either side emits.
        point_area: [Q] area that each point stands for.
        point_sample: [Q] sample of each point.
        area: [K] of the samples.
        group: [K] number of the lamp (connected emitters) that a sample belongs to, from 0.
        shadow_points: [PATTERNS, K, SHADOW_POINTS, 3] points spread evenly over each sample's surface.
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
    lamp = _connected(pieces)
    if len(index) <= MAX_SAMPLES:
        pieces, source, size = _cut(pieces, _surface_points(triangles[~emits]))
        index, lamp = index[source], lamp[source]
        sample = np.arange(len(index))
    else:
        sample = _clusters(pieces, lamp)
        size = np.zeros(int(sample.max()) + 1, dtype=np.float64)
    return _collect(pieces, index, lamp, sample, size > ONE_POINT_SIZE)


def _collect(
    pieces: Floats,
    index: npt.NDArray[np.int64],
    lamp: npt.NDArray[np.int64],
    sample: npt.NDArray[np.int64],
    large: npt.NDArray[np.bool_],
) -> LightSamples:
    """The samples from pieces [P, 3, 3] with their triangle, lamp and sample; large [K]: samples with Gauss points."""
    count = int(sample.max()) + 1 if len(sample) else 0
    area = triangle_areas(pieces)
    cross = np.cross(pieces[:, 1] - pieces[:, 0], pieces[:, 2] - pieces[:, 0])
    total = np.bincount(sample, area, count)
    position = np.stack([np.bincount(sample, area * pieces.mean(1)[:, k], count) for k in range(3)], -1)
    # Both sides emit: normals of a sample's pieces are flipped to the side of its largest piece before their mean.
    largest = np.zeros(count, dtype=np.int64)
    order = np.argsort(area, kind="stable")
    largest[sample[order]] = order
    sign = np.where((cross * cross[largest[sample]]).sum(1) < 0, -1.0, 1.0)
    normal = np.stack([np.bincount(sample, sign * cross[:, k] / 2, count) for k in range(3)], -1)
    group = np.zeros(count, dtype=np.int64)
    group[sample] = lamp
    group = np.unique(group, return_inverse=True)[1].reshape(-1)
    scale = np.maximum(total, 1e-300)[:, None]
    centroid, mean_normal = position / scale, normal / scale
    gauss = np.flatnonzero(large)  # each of these samples is a single piece
    owner = np.concatenate([np.flatnonzero(~large), np.repeat(gauss, 3)]).astype(np.int64)
    points = np.concatenate([centroid[~large], (GAUSS_POINTS @ pieces[gauss]).reshape(-1, 3)])
    return LightSamples(
        position=torch.from_numpy(points.astype(np.float32)),
        normal=torch.from_numpy(mean_normal[owner].astype(np.float32)),
        point_area=torch.from_numpy((total[owner] / np.where(large[owner], 3, 1)).astype(np.float32)),
        point_sample=torch.from_numpy(owner),
        area=torch.from_numpy(total.astype(np.float32)),
        group=torch.from_numpy(group.astype(np.int64)),
        shadow_points=torch.from_numpy(_shadow_points(pieces, area, sample, count)),
        piece_sample=torch.from_numpy(sample.astype(np.int64)),
        piece_triangle=torch.from_numpy(index.astype(np.int64)),
        piece_area=torch.from_numpy(area.astype(np.float32)),
    )


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


def _connected(pieces: Floats) -> npt.NDArray[np.int64]:
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
    """Longest edge of an emitter over its distance from the nearest NEAR_SHARE of the surface points."""
    longest = float(np.linalg.norm(piece - piece[[1, 2, 0]], axis=1).max())
    if not len(surfaces):
        return longest
    distance = float(np.quantile(np.linalg.norm(surfaces - piece.mean(0), axis=1), NEAR_SHARE))
    return longest / max(distance, longest / 4, 1e-12)


def _quarters(piece: Floats) -> Floats:
    """[4, 3, 3] the triangle cut at the midpoints of its edges."""
    a, b, c = piece
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    return np.array([(a, ab, ca), (ab, b, bc), (ca, bc, c), (bc, ca, ab)])


def _clusters(pieces: Floats, lamp: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """[E] the sample of each of many emitters: boxes around them are halved, those with the largest area first.

    Lamps are separated first if there are fewer of them than samples.
    """
    area, centre = triangle_areas(pieces), pieces.mean(1)
    if lamp.max() + 1 <= MAX_SAMPLES // 2:
        boxes = [np.flatnonzero(lamp == number) for number in range(int(lamp.max()) + 1)]
    else:
        boxes = [np.arange(len(pieces))]

    def spread(box: npt.NDArray[np.int64]) -> float:
        return float(area[box].sum() * np.ptp(centre[box], axis=0).max()) if len(box) > 1 else -1.0

    while len(boxes) < MAX_SAMPLES:
        number = int(np.argmax([spread(box) for box in boxes]))
        box = boxes[number]
        if len(box) < 2:
            break
        axis = int(np.argmax(np.ptp(centre[box], axis=0)))
        order = box[np.argsort(centre[box, axis], kind="stable")]
        half = int(np.searchsorted(np.cumsum(area[order]), area[order].sum() / 2))
        half = min(max(half, 1), len(order) - 1)
        boxes[number : number + 1] = [order[:half], order[half:]]
    sample = np.empty(len(pieces), dtype=np.int64)
    for number, box in enumerate(boxes):
        sample[box] = number
    return sample
