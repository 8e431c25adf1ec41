"""Shadow rays: the share of each light sample that each seen point sees.

A first shadow ray per light sample tells where a lamp is entirely visible, entirely hidden, or neither in a pixel and
its eight neighbours. There more shadow rays follow, and around the pixels where these disagree, until the partly lit
region is covered. Every pixel of a 4 x 4 tile has its own pattern of points on a lamp. In wide penumbrae the visibility
is filtered over windows that hold each pattern equally often, so that the differences of the patterns cancel.
"""

from collections.abc import Iterator
from itertools import product
from math import gcd

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.model.light_samples import PATTERNS, SHADOW_POINTS, LightSamples
from rfcli.model.surface_points import SurfacePoints, dot
from rfcli.scene.ray_casting import RayCaster

RAYS_TOGETHER = 1 << 16  # traced by one call
TILE = 4  # pixels along a side; PATTERNS is its square
PENUMBRA_RAYS = 48  # shadow rays per pixel and lamp where its visibility changes
MAX_ROUNDS = 64  # of growing a partly lit region by one pixel
WINDOW = (0.125, 0.25, 0.25, 0.25, 0.125)  # of the filter, along a side; pixels TILE apart weigh 1/4 together
MAX_DIFFERENCE = 0.4  # of visibility within a window that is averaged: edges of shadows stay sharp
MAX_SLOPE = 0.1  # distance from the plane of a point, over the distance from it, of points that are averaged


def offset_origins(position: Tensor, face_normal: Tensor, direction: Tensor, offset: float) -> Tensor:
    """Origins [R, 3] of rays along directions: an offset away from their surfaces, on the side that they leave to."""
    side = offset * torch.sign(dot(direction, face_normal))
    return position + side[:, None] * face_normal


def tile_patterns(points: SurfacePoints) -> Tensor:
    """[M] number of the pattern of each point's pixel, from 0 to PATTERNS - 1; a tile has each of them once."""
    side = points.shape[1]
    row, column = points.pixel // side % side % TILE, points.pixel % side % TILE
    return row * TILE + (column + 2 * (row % 2)) % TILE


@torch.no_grad()
def light_visibility(
    points: SurfacePoints,
    lights: LightSamples,
    caster: RayCaster,
    offset: float,
    penumbra_rays: int = PENUMBRA_RAYS,
    refined: Tensor | None = None,
) -> Tensor:
    """The share of each light sample that each point sees.

    Args:
        points: M points.
        lights: K samples of the emitters.
        caster: Traces rays through the scene.
        offset: Distance of the origins of rays from their surfaces.
        penumbra_rays: Shadow rays per pixel and lamp where the lamp is partly visible, about.
        refined: [M] bool, points that get more than one ray; None: all, and they are filtered.

    Returns:
        [M, K] from 0 to 1, on the device of the points.
    """
    rays = _ShadowRays(points.to(torch.device("cpu")), lights, caster, offset)
    if not len(points) or not len(lights.area):
        return torch.zeros(len(points), len(lights.area), device=points.position.device)
    every = torch.arange(len(points))
    visible, faced = rays.shares(every, torch.arange(len(lights.area)), 1)
    chosen = torch.ones(len(points), dtype=torch.bool) if refined is None else refined.cpu()
    for lamp in range(int(lights.group.max()) + 1):
        members = (lights.group == lamp).nonzero()[:, 0]
        rows = rays.refine(visible, faced, members, penumbra_rays, chosen)
        # Where the horizon cuts a sample, no ray may be above it: it counts like the lamp's others. Of a lamp that is
        # hardly above the horizon, and sends hardly any light, none may be: it counts as visible.
        shares, above = visible[:, members], faced[:, members]
        mean = shares.sum(1, keepdim=True) / above.sum(1, keepdim=True)
        visible[:, members] = torch.where(above, shares, mean.nan_to_num(1))
        if refined is None and len(rows):
            visible[rows[:, None], members] = rays.filtered(visible[:, members], rows)
    return visible.to(points.position.device)


class _ShadowRays:
    """Shadow rays of the points of one scene, on the CPU, where rays are traced."""

    def __init__(self, points: SurfacePoints, lights: LightSamples, caster: RayCaster, offset: float) -> None:
        self.points, self.caster, self.offset = points, caster, offset
        assert PATTERNS == TILE**2
        self.pattern = tile_patterns(points) * len(lights.area)
        self.targets = lights.shadow_points.reshape(-1, 3)
        self.whole = points.rays == points.shape[2]

    def shares(self, rows: Tensor, members: Tensor, rays: int) -> tuple[Tensor, Tensor]:
        """[R, L] visible shares of L light samples, from some rays to each, and whether any was above the horizon.

        Each ray is weighted by the light that its target would send.
        """
        total, lit = torch.zeros(len(members), len(rows)), torch.zeros(len(members), len(rows))
        together = max(1, RAYS_TOGETHER // max(1, len(rows)))  # few large calls: each has a fixed cost
        for first in range(0, rays, together):
            numbers = torch.arange(first, min(first + together, rays))
            for place, weight, seen in self._trace(rows, numbers, members):
                total[place] += weight.view(len(numbers), -1).sum(0)
                lit[place] += (weight * seen).view(len(numbers), -1).sum(0)
        return (lit / total.clamp_min(1e-30)).T.contiguous(), (total > 0).T.contiguous()

    def _trace(self, rows: Tensor, numbers: Tensor, members: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """For each light sample, its place among the members, and for each ray what it weighs and whether it arrives.

        The numbers vary slowest, the rows fastest.
        """
        p, per_pixel = self.points, self.points.shape[2]
        count, number = len(numbers), numbers.repeat_interleave(len(rows))

        def repeated(x: Tensor) -> Tensor:
            return x[rows].repeat(count)

        # A few consecutive numbers are spread over the r rays of a pixel. Of four consecutive targets each lies in
        # another quarter of the lamp, those r apart in the same one: `number // r` pairs each quarter with each ray.
        ray = p.ray[rows]
        turn = next(k for k in range(max(1, 27 * per_pixel // 64), per_pixel + 1) if gcd(k, per_pixel) == 1)
        stride = max(1, SHADOW_POINTS // per_pixel)
        start = torch.where(self.whole[rows], 0, ray % per_pixel * stride)
        index = (start.repeat(count) + number) % SHADOW_POINTS
        ray = ray.repeat(count) + (turn * number + number // per_pixel) % repeated(p.rays)
        origin, face = _take(p.origins, ray), _take(p.origin_normals, ray)
        normal, pattern = _take(p.normal, rows).repeat(count, 1), repeated(self.pattern)
        for place, member in enumerate(members.tolist()):
            target = _take(self.targets, (pattern + member) * SHADOW_POINTS + index)
            direction = target - origin
            leaving = offset_origins(origin, face, direction, self.offset)
            seen = ~torch.from_numpy(self.caster.occluded(leaving.numpy(), target.numpy()))
            distance = dot(direction, direction).clamp_min_(1e-12).sqrt_()
            yield place, dot(direction, normal).clamp_min_(0) / distance.pow_(3), seen

    def refine(self, visible: Tensor, faced: Tensor, members: Tensor, penumbra_rays: int, chosen: Tensor) -> Tensor:
        """Traces more rays to a lamp where it is partly visible.

        visible, faced: [M, K] shares, and whether a ray was above the horizon, changed in place; members: samples of
        the lamp; chosen: [M] points that may get more rays. Returns the points that did.
        """
        per_pixel = self.points.shape[2]
        shares, above = visible[:, members], faced[:, members]
        mixed = self._around((shares > 0).any(1)) & self._around(((shares < 1) & above).any(1))
        horizon = ~above.any(1) & self._around(above.any(1))
        rows = ((mixed | horizon) & chosen).nonzero()[:, 0]
        done, found = torch.zeros(len(self.points), dtype=torch.bool), []
        number = -(-penumbra_rays // len(members))
        for _ in range(MAX_ROUNDS):
            if not len(rows):
                break
            whole = self.whole[rows]
            for group, rays in ((rows[whole], number), (rows[~whole], -(-number // per_pixel))):
                if len(group):
                    visible[group[:, None], members], faced[group[:, None], members] = self.shares(group, members, rays)
            found.append(rows)
            done[rows] = True
            shares, above = visible[rows][:, members], faced[rows][:, members]
            partial = torch.zeros(len(self.points), dtype=torch.bool)
            partial[rows] = ((shares < 1) & above).any(1) & (shares > 0).any(1)
            rows = (self._around(partial) & chosen & ~done).nonzero()[:, 0]
        return torch.cat(found) if found else rows

    def _around(self, flags: Tensor) -> Tensor:
        """[M] whether a flag [M] is set for a point in the 3 x 3 pixels around each point."""
        views, side, _ = self.points.shape
        image = torch.zeros(views * side * side, dtype=torch.bool)
        image[self.points.pixel[flags]] = True
        padded = F.pad(image.view(views, side, side), (1, 1, 1, 1))
        rows = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
        around = rows[:, :, :-2] | rows[:, :, 1:-1] | rows[:, :, 2:]
        return around.reshape(-1)[self.points.pixel]

    def filtered(self, shares: Tensor, rows: Tensor) -> Tensor:
        """[R, L] visibilities [M, L] of a lamp's samples, averaged over pixels that see the same plane.

        Only where they differ little: others are returned as they are. rows: [R] the points to filter.
        """
        p = self.points
        views, side, _ = p.shape
        point_of_pixel = torch.full((views * side * side,), -1)
        point_of_pixel[p.pixel[self.whole]] = self.whole.nonzero()[:, 0]
        image = F.pad(point_of_pixel.view(views, side, side), (2, 2, 2, 2), value=-1)
        view, row, column = p.pixel[rows] // side**2, p.pixel[rows] // side % side, p.pixel[rows] % side
        mean = shares.mean(1)
        position, face, own = p.position[rows], p.face_normal[rows], mean[rows]
        total, norm = torch.zeros(len(rows), shares.shape[1]), torch.zeros(len(rows))
        difference = torch.zeros(len(rows))
        for (down, vertical), (along, horizontal) in product(enumerate(WINDOW), enumerate(WINDOW)):
            if (down, along) == (2, 2):
                other, same = rows, torch.ones(len(rows), dtype=torch.bool)
            else:
                other = image[view, row + down, column + along]
                same, other = other >= 0, other.clamp_min(0)
                step = _take(p.position, other) - position
                height = dot(step, face).abs() + dot(step, _take(p.face_normal, other)).abs()
                same &= height <= MAX_SLOPE * dot(step, step).sqrt()
            difference = torch.maximum(difference, same * (mean.index_select(0, other) - own).abs())
            weight = same * (vertical * horizontal)
            total += weight[:, None] * shares.index_select(0, other)
            norm += weight
        raw = (2 * difference / MAX_DIFFERENCE - 1).clamp(0, 1)[:, None]
        return torch.lerp(total / norm[:, None], shares.index_select(0, rows), raw)


def _take(table: Tensor, rows: Tensor) -> Tensor:
    """Rows of a table [R, 3]; twice as fast as torch's index_select."""
    return torch.from_numpy(np.take(table.numpy(), rows.numpy(), axis=0))
