"""First-hit visibility: the triangle that each pixel sees, and the properties of the surface there.

The z-buffer uses homogeneous edge functions. A ray d from the camera hits triangle (a, b, c) if d.(b x c), d.(c x a)
and d.(a x b) have the same sign; divided by their sum s they are the barycentric coordinates of the hit, which lies at
depth t = a.(b x c) / s (Olano and Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates, 1997). No triangle
is clipped. On the common edge of two triangles an edge function is zero up to rounding; the test succeeds for both, so
that no ray passes between them.

`FirstHits` holds the triangle and the point that each ray hits, `SurfaceHits` the material and the geometry there, and
`rfcli.model.first_hit.FirstHitRays` the rays of a network's view with their `FirstHits`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import reduce
from torch import Tensor

from rfcli.model.batch import SceneBatch
from rfcli.model.cameras import pixel_directions

NEAR_DEPTH = 1e-3  # hits closer to the camera are ignored
MAX_PAIRS = 1 << 21  # (triangle, pixel) pairs tested at once; bounds the memory
EDGE_TOLERANCE = 8 * torch.finfo(torch.float32).eps  # rounding of an edge function, relative to the lengths in it
NO_HIT = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class FirstHits:
    """First hits of V views of H x H rays.

    Attributes:
        triangle: [V, H, H] int64, -1 where a ray hits nothing.
        barycentric: [V, H, H, 3] weights of the triangle's vertices, 0 where nothing is hit.
        depth: [V, H, H] distance along the camera's -Z, 0 where nothing is hit.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor

    @property
    def seen(self) -> Tensor:
        """[V, H, H] bool, True where a triangle is hit."""
        return self.triangle >= 0


@torch.no_grad()
def visible_triangles(triangles: Tensor, mask: Tensor, fov: Tensor, resolution: int) -> Tensor:
    """The nearest triangle through each pixel's centre, for one view. Both faces of a triangle are visible.

    Args:
        triangles: [N, 3, 3] in camera space.
        mask: [N], True for real triangles.
        fov: Scalar tensor, degrees.
        resolution: H, pixels.

    Returns:
        [H, H] int64, -1 where no triangle is hit.
    """
    triangles = triangles.float()
    directions = pixel_directions(fov.float()[None], resolution)[0]
    along, down = directions[0, :, 0].contiguous(), directions[:, 0, 1].contiguous()  # the x of columns, the y of rows
    edges, volume = _edge_functions(triangles)
    # Each coordinate is a row of its own: torch gathers and multiplies rows several times faster than triples.
    x, y, z = edges.permute(2, 1, 0).contiguous()
    tolerances = _edge_tolerance(triangles).T.contiguous()
    left, top, widths, heights = _pixel_bounds(triangles, mask, fov, resolution)
    counts = widths * heights
    nearest = torch.full((resolution * resolution,), NO_HIT, dtype=torch.int64, device=triangles.device)

    for chosen in _batches(counts):
        count = counts[chosen]
        triangle = chosen.repeat_interleave(count)
        first = count.cumsum(0) - count
        step = torch.arange(len(triangle), device=triangle.device) - first.repeat_interleave(count)

        def of_pair(of_triangle: Tensor, triangle: Tensor = triangle) -> Tensor:
            return of_triangle.index_select(0, triangle)

        width = of_pair(widths)
        lower = step // width
        column, row = of_pair(left) + step - lower * width, of_pair(top) + lower
        x_ray, y_ray = along.index_select(0, column), down.index_select(0, row)
        weights = [of_pair(x[k]) * x_ray + of_pair(y[k]) * y_ray - of_pair(z[k]) for k in range(3)]
        tolerance = [of_pair(tolerances[k]) for k in range(3)]
        total = weights[0] + weights[1] + weights[2]
        depth = of_pair(volume) / total
        front = (weights[0] >= -tolerance[0]) & (weights[1] >= -tolerance[1]) & (weights[2] >= -tolerance[2])
        back = (weights[0] <= tolerance[0]) & (weights[1] <= tolerance[1]) & (weights[2] <= tolerance[2])
        # A triangle seen edge-on has no depth.
        hit = (
            (front | back) & (total.abs() > tolerance[0] + tolerance[1] + tolerance[2]) & (depth > NEAR_DEPTH)
        ).nonzero()[:, 0]
        # Positive floats sort like their bit patterns: one integer holds the depth (high bits) and the triangle.
        key = (depth.index_select(0, hit).view(torch.int32).long() << 32) | triangle.index_select(0, hit)
        nearest.scatter_reduce_(0, (row * resolution + column).index_select(0, hit), key, "amin")

    found = torch.where(nearest == NO_HIT, -1, nearest & 0xFFFFFFFF)
    return found.view(resolution, resolution)


def hit_geometry(triangle: Tensor, triangles: Tensor, directions: Tensor) -> FirstHits:
    """The point where each ray hits its triangle.

    Args:
        triangle: [V, H, H] from `visible_triangles`.
        triangles: [V, N, 3, 3] in camera space.
        directions: [V, H, H, 3] of the rays, with z = -1.

    Returns:
        The hits.
    """
    views = len(triangle)
    edges, volume = _edge_functions(triangles.float())
    index = triangle.clamp_min(0).view(views, -1)
    rows = torch.arange(views, device=index.device)[:, None]
    weights = torch.einsum("vpc,vpkc->vpk", directions.reshape(views, -1, 3), edges[rows, index])
    total = weights.sum(-1, keepdim=True)
    total = torch.where(total == 0, torch.ones_like(total), total)
    seen = (triangle >= 0).view(views, -1, 1)
    barycentric = torch.where(seen, weights / total, 0.0)
    depth = torch.where(seen, volume[rows, index][..., None] / total, 0.0)
    return FirstHits(triangle, barycentric.view(*triangle.shape, 3), depth.view(triangle.shape))


def patch_positions(directions: Tensor, hits: FirstHits, origin: Tensor, patch: int) -> Tensor:
    """The position of each patch of rays: the mean of its hit points, or the camera where nothing is hit.

    Args:
        directions: [V, H, H, 3] with unit depth.
        hits: First hits of these rays.
        origin: [V, 3] positions of the cameras, in the space of the directions.
        patch: Rays along a side of a patch.

    Returns:
        [V, (H / patch)^2, 3].
    """
    side = directions.shape[1] // patch
    cameras = origin[:, None].expand(-1, side * side, -1)
    blocks = {"p": patch, "q": patch}
    offsets = reduce(directions * hits.depth[..., None], "v (h p) (w q) c -> v (h w) c", "sum", **blocks)
    count = reduce(hits.seen.float(), "v (h p) (w q) -> v (h w) 1", "sum", **blocks)
    return cameras + offsets / count.clamp_min(1)


@dataclass(frozen=True)
class SurfaceHits:
    """The surfaces that V views of H x H rays hit; directions are in world space.

    Attributes:
        triangle: [V, H, H] int64, an index of a row: 0, not -1, where nothing is hit; the weights there are 0.
        weights: [V, H, H, 3] barycentric coordinates, 0 where nothing is hit.
        material: [V, H, H, 13], 0 where nothing is hit.
        normal: [V, H, H, 3] unit shading normal on the visible side, 0 where nothing is hit.
        to_camera: [V, H, H, 3] unit direction to the camera.
        offset: [V, H, H, 3] hit point relative to the camera, 0 where nothing is hit.
    """

    triangle: Tensor
    weights: Tensor
    material: Tensor
    normal: Tensor
    to_camera: Tensor
    offset: Tensor

    def map(self, fn: Callable[[Tensor], Tensor]) -> "SurfaceHits":
        """Applies fn to every tensor."""
        return SurfaceHits(*map(fn, vars(self).values()))

    def subsample(self, step: int, row: int = 0, column: int = 0) -> "SurfaceHits":
        """Every step-th ray along both axes, starting at the given row and column."""
        return self.map(lambda x: x[:, row::step, column::step])


def surface_hits(scenes: SceneBatch, hits: FirstHits, directions: Tensor) -> SurfaceHits:
    """The surfaces hit by rays of V views in total, V / B of each of B scenes.

    Args:
        scenes: The B scenes.
        hits: First hits of the rays.
        directions: [V, H, H, 3] directions of the rays in world space, with unit depth.

    Returns:
        Material, normal and position at each hit.
    """
    triangle, seen = hits.triangle.clamp_min(0), hits.seen[..., None]
    normal = F.normalize(interpolate(scenes.vn.flatten(2), triangle, hits.barycentric), dim=-1)
    facing_away = (normal * directions).sum(-1, keepdim=True) > 0
    return SurfaceHits(
        triangle=triangle,
        weights=hits.barycentric,
        material=lookup(scenes.constant_material(), triangle) * seen,
        normal=torch.where(facing_away, -normal, normal),
        to_camera=-F.normalize(directions, dim=-1),
        offset=directions * hits.depth[..., None],
    )


def lookup(of_triangles: Tensor, triangle: Tensor) -> Tensor:
    """[V, H, H, C] values of triangles [V, H, H] from a table [B, N, C], V / B views of each of B scenes."""
    return F.embedding(_flat_index(triangle, of_triangles), of_triangles.flatten(0, 1))


def interpolate(at_vertices: Tensor, triangle: Tensor, weights: Tensor) -> Tensor:
    """Values at vertices, interpolated to points on triangles.

    Args:
        at_vertices: [B, N, 3 C] C values at each vertex of the triangles of B scenes.
        triangle: [V, H, H] triangles of the points, for V views in total, V / B of each scene.
        weights: [V, H, H, 3] barycentric coordinates of the points.

    Returns:
        [V, H, H, C].
    """
    corners = 3 * _flat_index(triangle, at_vertices)[..., None] + torch.arange(3, device=triangle.device)
    table = at_vertices.reshape(3 * at_vertices.shape[0] * at_vertices.shape[1], -1)
    point_weights = weights.to(table.dtype).flatten(0, 2)
    mixed = F.embedding_bag(corners.flatten(0, 2), table, mode="sum", per_sample_weights=point_weights)
    return mixed.view(*triangle.shape, -1)


def _edge_functions(triangles: Tensor) -> tuple[Tensor, Tensor]:
    """Normals [..., 3, 3] of the planes through the camera and each edge, and volumes a.(b x c) [...]."""
    a, b, c = triangles.unbind(-2)
    edges = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], -2)
    return edges, (a * edges[..., 0, :]).sum(-1)


def _edge_tolerance(triangles: Tensor) -> Tensor:
    """[..., 3] bounds on the rounding of the edge functions for directions of unit depth."""
    a, b, c = triangles.norm(dim=-1).unbind(-1)
    return EDGE_TOLERANCE * torch.stack([b * c, c * a, a * b], -1)


def _pixel_bounds(
    triangles: Tensor, mask: Tensor, fov: Tensor, resolution: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Left, top, width and height [N] of the pixels whose centres a triangle may cover; width 0 for none."""
    depth = -triangles[..., 2]
    ahead = depth > NEAR_DEPTH
    focal = resolution / 2 / torch.tan(torch.deg2rad(fov.float()) / 2)
    safe = depth.clamp_min(NEAR_DEPTH)
    x = resolution / 2 + focal * triangles[..., 0] / safe - 0.5
    y = resolution / 2 - focal * triangles[..., 1] / safe - 0.5

    def span(position: Tensor) -> tuple[Tensor, Tensor]:
        # The edge functions decide; the bounds are widened so that rounding cannot exclude a pixel.
        low = (position.amin(-1) - 1e-3).ceil().clamp(0, resolution)
        high = (position.amax(-1) + 1e-3).floor().clamp(-1, resolution - 1)
        # A triangle that reaches behind the camera can cover any pixel.
        low = torch.where(ahead.all(-1), low, 0.0)
        high = torch.where(ahead.all(-1), high, resolution - 1.0)
        return low.long(), (high - low + 1).clamp_min(0).long()

    left, width = span(x)
    top, height = span(y)
    width = torch.where(mask & ahead.any(-1), width, 0)
    return left, top, width, height


def _batches(counts: Tensor) -> list[Tensor]:
    """Indices of the triangles that cover any pixel, in groups of at most MAX_PAIRS pairs (or one triangle)."""
    chosen = counts.nonzero()[:, 0]
    group = (counts[chosen].cumsum(0) - 1).div(MAX_PAIRS, rounding_mode="floor")
    return [chosen[group == g] for g in torch.unique(group)]


def _flat_index(triangle: Tensor, of_scenes: Tensor) -> Tensor:
    """[V, H, H] row of each triangle among the B N rows of a tensor of_scenes [B, N, ...], flattened."""
    scenes, count = of_scenes.shape[:2]
    scene = torch.arange(len(triangle), device=triangle.device) // (len(triangle) // scenes)
    return triangle + count * scene[:, None, None]
