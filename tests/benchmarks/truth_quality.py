"""Measures the error of the images of `rf gen-data`: `python -m tests.benchmarks.truth_quality`.

Random scenes with default options, one view of each at 128 x 128, rendered and denoised as in `rf gen-data` with
several numbers of paths per pixel. The reference has `--paths` 4,096 paths per pixel with other random numbers, not
denoised. It takes nearly all of the time, so only a sixteenth of its pixels is traced: one square of 8 x 8 at a random
place in each of 16 cells that tile the image (`--square 32`: the whole image).

Prints PSNR (peak 1, mean over scenes) on log10(1 + radiance), on clamp(log2(1 + radiance), 0, 1) as in the metrics, and
on the tone mapping of the PNG; in brackets, the PSNR after subtracting the noise of the reference, which is estimated
from the difference of its two halves (by 10 dB at most). About ten seconds per scene on one core.
"""

import argparse
from collections.abc import Callable

import mitsuba as mi
import numpy as np
import numpy.typing as npt

from rfcli.pictures.tone_mapping import pbr_neutral
from rfcli.scene import TriangleScene
from rfcli.synth import RenderedScenes, SceneOptions
from rfcli.truth import PathTracer
from rfcli.truth.mitsuba_scene import sensor, to_mitsuba
from rfcli.truth.path_tracer import MAX_DEPTH, RUSSIAN_ROULETTE_DEPTH

RESOLUTION, CELL = 128, 32
Floats = npt.NDArray[np.float64]
CURVES: dict[str, Callable[[Floats], Floats]] = {
    "log10(1 + I)": lambda image: np.log10(1 + image),
    "log2, clamped": lambda image: np.clip(np.log2(1 + image), 0, 1),
    "tone-mapped": pbr_neutral,
}


def square_corners(rng: np.random.Generator, side: int) -> list[tuple[int, int]]:
    """Corner (column, row) of one square of `side` pixels in each cell of the image."""
    cells = range(0, RESOLUTION, CELL)
    return [
        (x + int(dx), y + int(dy)) for x in cells for y in cells for dx, dy in [rng.integers(0, CELL - side + 1, 2)]
    ]


def trace_squares(scene: TriangleScene, corners: list[tuple[int, int]], side: int, paths: int, seed: int) -> Floats:
    """[S, side, side, 3] squares of the first view, with `paths` paths per pixel, not denoised."""
    world = to_mitsuba(scene, RESOLUTION)
    integrator = mi.load_dict({"type": "path", "max_depth": MAX_DEPTH, "rr_depth": RUSSIAN_ROULETTE_DEPTH})
    camera = sensor(scene.c2w[0], float(scene.fov[0]), RESOLUTION)
    squares = []
    for number, (x, y) in enumerate(corners):
        crop = {"crop_offset_x": x, "crop_offset_y": y, "crop_width": side, "crop_height": side}
        cropped = mi.load_dict({**camera, "film": {**camera["film"], **crop}})
        squares.append(mi.render(world, integrator=integrator, sensor=cropped, spp=paths, seed=seed + number))
    return np.array([np.array(square, float) for square in squares])


def psnr(mean_squared_error: float) -> float:
    return -10 * np.log10(max(mean_squared_error, 1e-12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--paths", type=int, default=4096, help="paths per pixel of the reference")
    parser.add_argument("--square", type=int, default=8, help="side of the compared squares in pixels, at most 32")
    parser.add_argument("--spp", type=int, nargs="+", default=[32, 64], help="paths per pixel of the images")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the scenes")
    arguments = parser.parse_args()

    preview = PathTracer(8, denoise=False, threads=1)
    tracers = {spp: PathTracer(spp, threads=1) for spp in arguments.spp}
    source = RenderedScenes(arguments.seed, SceneOptions(views=1), RESOLUTION, preview, tracers[arguments.spp[0]])
    rng = np.random.default_rng(arguments.seed)
    rows: list[Floats] = []  # [spp, curve, with and without the truth's own noise]
    for index in range(arguments.scenes):
        scene, first, _ = source(index)
        corners = square_corners(rng, arguments.square)
        halves = [
            trace_squares(scene, corners, arguments.square, arguments.paths // 2, 1000 * half) for half in range(2)
        ]
        truth = (halves[0] + halves[1]) / 2
        row = []
        for spp, tracer in tracers.items():
            image = (first if spp == arguments.spp[0] else tracer.render(scene, RESOLUTION))[0].astype(float)
            image = np.array([image[y : y + arguments.square, x : x + arguments.square] for x, y in corners])
            errors = [float(((curve(image) - curve(truth)) ** 2).mean()) for curve in CURVES.values()]
            noise = [float(((curve(halves[0]) - curve(halves[1])) ** 2).mean()) / 4 for curve in CURVES.values()]
            row.append(np.array([(psnr(e), psnr(max(e - n, e / 10))) for e, n in zip(errors, noise, strict=True)]))
        rows.append(np.array(row))
        shown = [f"{spp} spp " + " / ".join(f"{x:.1f}" for x in row[i][:, 0]) for i, spp in enumerate(arguments.spp)]
        print(f"scene {index}, {len(scene)} triangles: {', '.join(shown)} dB", flush=True)
    values = np.stack(rows)
    print(f"\nmean (lowest) PSNR of {arguments.scenes} scenes in dB; in brackets without the noise of the reference")
    print(f"{'spp':>5}" + "".join(f"{name:>26}" for name in CURVES))
    for i, spp in enumerate(arguments.spp):
        cells = [
            f"{with_noise.mean():.1f} ({with_noise.min():.1f}) [{without.mean():.1f}]"
            for with_noise, without in (values[:, i, j].T for j in range(len(CURVES)))
        ]
        print(f"{spp:>5}" + "".join(f"{cell:>26}" for cell in cells))


if __name__ == "__main__":
    main()
