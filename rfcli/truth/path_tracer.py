"""The default ground truth: unidirectional path tracing with next-event estimation (Mitsuba 3), then denoising."""

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import drjit as dr
import mitsuba as mi
import numpy as np

from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.truth.denoise import denoised
from rfcli.truth.mitsuba_scene import to_mitsuba
from rfcli.truth.renderer import Images

MAX_DEPTH = 32
ALL_CORES = dr.thread_count()
RUSSIAN_ROULETTE_DEPTH = 4  # surface hits before a path of low weight may end early


@dataclass(frozen=True)
class PathTracer:
    """Global illumination to a depth of 32 bounces, diffuse + GGX surfaces, two-sided emitters, black surroundings.

    Over random scenes, 16 denoised paths per pixel were closer to 1,024 paths than 64 paths without denoising, by 2 to
    15 dB. The denoiser gets no albedo and normals of the first hits: with 32 paths, 16 samples of them gained 0.1 dB at
    44 % more time (14 scenes), 4 samples lost 0.4 dB, while a quarter more paths gained 0.25 dB.

    Attributes:
        samples_per_pixel: Paths per pixel.
        denoise: Apply Open Image Denoise.
        seed: Fixes the random numbers, together with the geometry and the index of the view.
        threads: 0 for all cores; 1 if several processes render at the same time.

    Raises:
        InputError: samples_per_pixel is not positive.
    """

    samples_per_pixel: int = 32
    denoise: bool = True
    seed: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        if self.samples_per_pixel < 1:
            raise InputError(f"samples_per_pixel is {self.samples_per_pixel}; give at least 1.")

    def render(self, scene: TriangleScene, resolution: int) -> Images:
        """Images [V, resolution, resolution, 3]: linear radiance, the mean over each pixel; row 0 at the top.

        Pixels whose radiance exceeds single precision, or whose surface has no valid normal, are not finite.
        """
        dr.set_thread_count(self.threads or ALL_CORES)
        world = to_mitsuba(scene, resolution)
        geometry = zlib.crc32(scene.triangles.tobytes())
        seeds = [zlib.crc32(f"{self.seed} {geometry} {view}".encode()) for view in range(len(scene.c2w))]
        return np.stack([self._view(world, view, seed) for view, seed in enumerate(seeds)])

    def refine(self, scene: TriangleScene, resolution: int) -> Iterator[tuple[int, Images]]:
        """The image of the first camera from more and more paths, without end.

        Args:
            scene: The scene, with one camera or more.
            resolution: Pixels along a side.

        Yields:
            The number of paths per pixel so far, a multiple of samples_per_pixel, and the image
            [resolution, resolution, 3] from all of them, denoised if the path tracer denoises.
        """
        dr.set_thread_count(self.threads or ALL_CORES)
        world = to_mitsuba(scene, resolution)
        mean = np.zeros((resolution, resolution, 3), dtype=np.float64)
        for number in itertools.count(1):
            color = self._paths(world, 0, zlib.crc32(f"{self.seed} {number}".encode()))
            mean += (color - mean) / number
            image = mean.astype(np.float32)
            yield number * self.samples_per_pixel, self._finished(image)

    def _view(self, world: Any, view: int, seed: int) -> Images:
        return self._finished(self._paths(world, view, seed))

    def _finished(self, color: Images) -> Images:
        """The image after denoising, if the path tracer denoises."""
        if not self.denoise:
            return color
        finite = np.isfinite(color).all(axis=-1, keepdims=True)  # one other pixel would spoil the whole denoised image
        return np.where(finite, denoised(np.where(finite, color, np.float32(0)), self.threads), color)

    def _paths(self, world: Any, view: int, seed: int) -> Images:
        """One image of samples_per_pixel paths, not denoised."""
        integrator = mi.load_dict({"type": "path", "max_depth": MAX_DEPTH, "rr_depth": RUSSIAN_ROULETTE_DEPTH})
        color = np.array(mi.render(world, integrator=integrator, sensor=view, spp=self.samples_per_pixel, seed=seed))
        return color.astype(np.float32)
