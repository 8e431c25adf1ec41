"""Which triangle each pixel sees: a z-buffer by homogeneous edge functions.

A ray d from the camera meets the plane of (a, b, c) inside the triangle where d.(b x c), d.(c x a) and d.(a x b) have
one sign; these are its barycentric coordinates up to their sum s, and the hit lies at t = a.(b x c) / s
(Olano and Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates, 1997). Nothing is clipped. A ray that runs
along the common edge of two triangles has zero there, of whichever sign rounding gives it: both triangles take it,
else the ray would slip between them.

The surfaces that rays meet: what a pixel can say of them without knowing any light.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import reduce
from torch import Tensor

from rfcli.model.batch import SceneBatch
from rfcli.model.cameras import pixel_directions

NEAR = 1e-3
CANDIDATES = 1 << 21  # (triangle, pixel) pairs tested at once: bounds the memory
SLACK = 8 * torch.finfo(torch.float32).eps  # rounding of an edge function, relative to the lengths that enter it
NOTHING = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class FirstHits:
    """Per view and pixel; V views of H x H pixels.

    triangle    [V, H, H] int64, -1 where a ray leaves the scene.
    barycentric [V, H, H, 3] weights of the triangle's vertices, 0 where nothing is hit.
    depth       [V, H, H] distance along the camera's -Z, 0 where nothing is hit.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> "FirstHits":
        """With each of its tensors changed alike."""
        return FirstHits(change(self.triangle), change(self.barycentric), change(self.depth))

    @property
    def seen(self) -> Tensor:
        """[V, H, H] bool."""
        return self.triangle >= 0


@torch.no_grad()
def visible_triangles(triangles: Tensor, mask: Tensor, fov: Tensor, resolution: int) -> Tensor:
    """[H, H] int64: the nearest triangle of one view through each pixel's centre, -1 for none.

    triangles [N, 3, 3] in camera space, mask [N], fov [] in degrees. Both faces of a triangle are seen.
    """
    triangles = triangles.float()
    directions = pixel_directions(fov.float()[None], resolution)[0]
    along, down = directions[0, :, 0].contiguous(), directions[:, 0, 1].contiguous()  # the x of columns, the y of rows
    edges, volume = _edge_functions(triangles)
    # One row for each number: torch gathers and multiplies rows of pairs several times as fast as triples of them.
    x, y, z = edges.permute(2, 1, 0).contiguous()
    slack = _edge_slack(triangles).T.contiguous()
    left, top, widths, heights = _pixel_bounds(triangles, mask, fov, resolution)
    counts = widths * heights
    nearest = torch.full((resolution * resolution,), NOTHING, dtype=torch.int64, device=triangles.device)

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
        blur = [of_pair(slack[k]) for k in range(3)]
        total = weights[0] + weights[1] + weights[2]
        depth = of_pair(volume) / total
        front = (weights[0] >= -blur[0]) & (weights[1] >= -blur[1]) & (weights[2] >= -blur[2])
        back = (weights[0] <= blur[0]) & (weights[1] <= blur[1]) & (weights[2] <= blur[2])
        # Seen edge-on, a triangle has no depth.
        hit = ((front | back) & (total.abs() > blur[0] + blur[1] + blur[2]) & (depth > NEAR)).nonzero()[:, 0]
        # Positive floats sort as their bit patterns do: one integer holds depth first, then the triangle.
        key = (depth.index_select(0, hit).view(torch.int32).long() << 32) | triangle.index_select(0, hit)
        nearest.scatter_reduce_(0, (row * resolution + column).index_select(0, hit), key, "amin")

    found = torch.where(nearest == NOTHING, -1, nearest & 0xFFFFFFFF)
    return found.view(resolution, resolution)


def hit_geometry(triangle: Tensor, triangles: Tensor, directions: Tensor) -> FirstHits:
    """Where on its triangle each pixel's ray arrives.

    triangle [V, H, H] as `visible_triangles` gives it; triangles [V, N, 3, 3] in camera space; directions
    [V, H, H, 3] of the pixels with z = -1.
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


def seen_places(directions: Tensor, hits: FirstHits | None, origin: Tensor, patch: int) -> Tensor:
    """[V, M, 3] where each patch of rays is, for its position: the mean of the points it sees, else the camera.

    directions [V, H, H, 3] of unit depth and origin [V, 3] of the cameras, in the same space.
    """
    side = directions.shape[1] // patch
    cameras = origin[:, None].expand(-1, side * side, -1)
    if hits is None:
        return cameras
    blocks = {"p": patch, "q": patch}
    offsets = reduce(directions * hits.depth[..., None], "v (h p) (w q) c -> v (h w) c", "sum", **blocks)
    seen = reduce(hits.seen.float(), "v (h p) (w q) -> v (h w) 1", "sum", **blocks)
    return cameras + offsets / seen.clamp_min(1)


def _edge_functions(triangles: Tensor) -> tuple[Tensor, Tensor]:
    """Normals of the planes through the camera and each edge [..., 3, 3], and a.(b x c) [...]."""
    a, b, c = triangles.unbind(-2)
    edges = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], -2)
    return edges, (a * edges[..., 0, :]).sum(-1)


def _edge_slack(triangles: Tensor) -> Tensor:
    """[..., 3] by how much rounding may move the edge functions of `_edge_functions` for directions of unit depth."""
    a, b, c = triangles.norm(dim=-1).unbind(-1)
    return SLACK * torch.stack([b * c, c * a, a * b], -1)


def _pixel_bounds(
    triangles: Tensor, mask: Tensor, fov: Tensor, resolution: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Left, top, width and height [N] of the pixels whose centres a triangle may cover; width 0 where none."""
    depth = -triangles[..., 2]
    ahead = depth > NEAR
    focal = resolution / 2 / torch.tan(torch.deg2rad(fov.float()) / 2)
    safe = depth.clamp_min(NEAR)
    x = resolution / 2 + focal * triangles[..., 0] / safe - 0.5
    y = resolution / 2 - focal * triangles[..., 1] / safe - 0.5

    def span(position: Tensor) -> tuple[Tensor, Tensor]:
        # A hair of slack: the edge functions decide, the box only must not miss a pixel by rounding.
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
    """Triangles that cover any pixel, in groups of at most CANDIDATES pairs (or one triangle)."""
    chosen = counts.nonzero()[:, 0]
    group = (counts[chosen].cumsum(0) - 1).div(CANDIDATES, rounding_mode="floor")
    return [chosen[group == g] for g in torch.unique(group)]


@dataclass(frozen=True)
class SeenSurface:
    """V views of H x H rays; material, normal and place are zero where nothing is hit.

    triangle  [V, H, H] int64, 0 where nothing is hit.
    weights   [V, H, H, 3] barycentric.
    material  [V, H, H, 13].
    normal    [V, H, H, 3] unit shading normal, on the side that is seen; world space, as all directions are.
    towards   [V, H, H, 3] unit direction to the camera.
    place     [V, H, H, 3] seen from the camera.
    """

    triangle: Tensor
    weights: Tensor
    material: Tensor
    normal: Tensor
    towards: Tensor
    place: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> "SeenSurface":
        """With each of its tensors changed alike."""
        return SeenSurface(*map(change, vars(self).values()))

    def every(self, step: int, row: int = 0, column: int = 0) -> "SeenSurface":
        """One ray in step x step."""
        return self.map(lambda x: x[:, row::step, column::step])


def seen_surface(scenes: SceneBatch, hits: FirstHits, directions: Tensor) -> SeenSurface:
    """Of B scenes through V / B cameras each. directions [V, H, H, 3]: world space, of unit depth."""
    triangle, seen = hits.triangle.clamp_min(0), hits.seen[..., None]
    normal = F.normalize(interpolated(scenes.vn.flatten(2), triangle, hits.barycentric), dim=-1)
    behind = (normal * directions).sum(-1, keepdim=True) > 0
    return SeenSurface(
        triangle=triangle,
        weights=hits.barycentric,
        material=F.embedding(_row(triangle, scenes.mask), scenes.constant_material().flatten(0, 1)) * seen,
        normal=torch.where(behind, -normal, normal),
        towards=-F.normalize(directions, dim=-1),
        place=directions * hits.depth[..., None],
    )


def interpolated(at_vertices: Tensor, triangle: Tensor, weights: Tensor) -> Tensor:
    """[V, H, H, C] of what the triangles of B scenes have at their vertices [B, N, 3 C], at points of some of them.

    triangle [V, H, H] and barycentric weights [V, H, H, 3] of the points, V / B views of each scene.
    """
    corners = 3 * _row(triangle, at_vertices)[..., None] + torch.arange(3, device=triangle.device)
    table = at_vertices.reshape(3 * at_vertices.shape[0] * at_vertices.shape[1], -1)
    of_points = weights.to(table.dtype).flatten(0, 2)
    mixed = F.embedding_bag(corners.flatten(0, 2), table, mode="sum", per_sample_weights=of_points)
    return mixed.view(*triangle.shape, -1)


def _row(triangle: Tensor, of_scenes: Tensor) -> Tensor:
    """Where triangles [V, H, H] are among those of all scenes. of_scenes [B, N, ...]."""
    scenes, count = of_scenes.shape[:2]
    scene = torch.arange(len(triangle), device=triangle.device) // (len(triangle) // scenes)
    return triangle + count * scene[:, None, None]
