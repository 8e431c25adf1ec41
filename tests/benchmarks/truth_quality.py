"""How near the default images come to the truth: `python tests/benchmarks/truth_quality.py`.

Random scenes of the default recipe, one view of each at the default 128 x 128, rendered and denoised as `rf gen-data`
does with several numbers of paths, against `--paths` 4,096 undenoised ones with other random numbers. The latter cost
nearly all of the time, so they are traced for a sample of the pixels: one square of 8 x 8, at a random place, in each
of 16 cells that tile the picture, a sixteenth of it and from everywhere (`--square 32`: the whole picture).

Printed: PSNR (peak 1, mean over scenes) on log10(1 + radiance), on clamp(log2(1 + radiance), 0, 1), which metrics and
papers use, and on the PNG's tone mapping; and what it would be if the noise of the 4,096 paths, known from the
difference of their halves, were not counted as the image's error (10 dB at most). About ten seconds a scene and core.
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


def places(rng: np.random.Generator, side: int) -> list[tuple[int, int]]:
    """Corners (column, row) of one square of `side` pixels in each cell of the picture."""
    cells = range(0, RESOLUTION, CELL)
    return [
        (x + int(dx), y + int(dy)) for x in cells for y in cells for dx, dy in [rng.integers(0, CELL - side + 1, 2)]
    ]


def traced(scene: TriangleScene, corners: list[tuple[int, int]], side: int, paths: int, seed: int) -> Floats:
    """[S, side, side, 3] the squares of the scene's first view by that many paths, not denoised."""
    world = to_mitsuba(scene, RESOLUTION)
    light = mi.load_dict({"type": "path", "max_depth": MAX_DEPTH, "rr_depth": RUSSIAN_ROULETTE_DEPTH})
    camera = sensor(scene.c2w[0], float(scene.fov[0]), RESOLUTION)
    squares = []
    for number, (x, y) in enumerate(corners):
        place = {"crop_offset_x": x, "crop_offset_y": y, "crop_width": side, "crop_height": side}
        eye = mi.load_dict({**camera, "film": {**camera["film"], **place}})
        squares.append(mi.render(world, integrator=light, sensor=eye, spp=paths, seed=seed + number))
    return np.array([np.array(square, float) for square in squares])


def decibels(squared_error: float) -> float:
    return -10 * np.log10(max(squared_error, 1e-12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--paths", type=int, default=4096, help="a pixel, of the truth")
    parser.add_argument("--square", type=int, default=8, help="side of the squares that are compared, pixels, to 32")
    parser.add_argument("--spp", type=int, nargs="+", default=[32, 64], help="of the images that are judged")
    parser.add_argument("--seed", type=int, default=1000, help="of the scenes")
    told = parser.parse_args()

    look = PathTracer(8, denoise=False, threads=1)
    tracers = {spp: PathTracer(spp, threads=1) for spp in told.spp}
    source = RenderedScenes(told.seed, SceneOptions(views=1), RESOLUTION, look, tracers[told.spp[0]])
    rng = np.random.default_rng(told.seed)
    rows: list[Floats] = []  # [spp, curve, with and without the truth's own noise]
    for index in range(told.scenes):
        scene, first, _ = source(index)
        corners = places(rng, told.square)
        halves = [traced(scene, corners, told.square, told.paths // 2, 1000 * half) for half in range(2)]
        truth = (halves[0] + halves[1]) / 2
        row = []
        for spp, tracer in tracers.items():
            image = (first if spp == told.spp[0] else tracer.render(scene, RESOLUTION))[0].astype(float)
            image = np.array([image[y : y + told.square, x : x + told.square] for x, y in corners])
            errors = [float(((curve(image) - curve(truth)) ** 2).mean()) for curve in CURVES.values()]
            noise = [float(((curve(halves[0]) - curve(halves[1])) ** 2).mean()) / 4 for curve in CURVES.values()]
            row.append(
                np.array([(decibels(e), decibels(max(e - n, e / 10))) for e, n in zip(errors, noise, strict=True)])
            )
        rows.append(np.array(row))
        shown = [f"{spp} spp " + " / ".join(f"{x:.1f}" for x in row[i][:, 0]) for i, spp in enumerate(told.spp)]
        print(f"scene {index}, {len(scene)} triangles: {', '.join(shown)} dB", flush=True)
    values = np.stack(rows)
    print(f"\nmean (lowest) PSNR of {told.scenes} scenes in dB; in brackets without the truth's own noise")
    print(f"{'spp':>5}" + "".join(f"{name:>26}" for name in CURVES))
    for i, spp in enumerate(told.spp):
        cells = [
            f"{with_noise.mean():.1f} ({with_noise.min():.1f}) [{without.mean():.1f}]"
            for with_noise, without in (values[:, i, j].T for j in range(len(CURVES)))
        ]
        print(f"{spp:>5}" + "".join(f"{cell:>26}" for cell in cells))


if __name__ == "__main__":
    main()
