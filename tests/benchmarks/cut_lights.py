"""Measures what cutting lights into more triangles costs: `python -m tests.benchmarks.cut_lights`.

Each light of a scene is cut into 4 and into 16 triangles; a glowing sphere of 320 triangles, and a strip of 1,000
triangles, take the place of the brightest light. Each of them emits the same light as its reference: the light that is
not cut, a sphere of 20 triangles, a strip of 2. Prints for each model the mean PSNR against the path tracer on
clamp(log2(1 + radiance), 0, 1), its loss against the reference, and the PSNR between pictures of the two. A model is a
name or folder, optionally with another attention mechanism and its number of keys: `tiny@nearfar:256`.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.sample import read_sample
from rfcli.dataset.training_scene import at_resolution
from rfcli.metrics.similarity import log_radiance, psnr
from rfcli.model import RenderFormer
from rfcli.scene import TriangleScene
from rfcli.scene.geometry import face_normals, triangle_areas
from rfcli.scene.triangle_scene import EMISSION
from rfcli.synth.shapes.spheres import geodesic_sphere
from rfcli.truth.path_tracer import PathTracer
from tests.benchmarks.held_out import parse_model

STRIP = (1.0, 10.0)  # width and length, relative
Corners = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]

# Each case and its reference.
CASES = {
    "uncut": "uncut",
    "4 pieces": "uncut",
    "16 pieces": "uncut",
    "sphere of 20": "sphere of 20",
    "sphere of 320": "sphere of 20",
    "strip of 2": "strip of 2",
    "strip of 1,000": "strip of 2",
}
SAME_SURFACES = {"4 pieces": "uncut", "16 pieces": "uncut", "strip of 1,000": "strip of 2"}  # and so the same truth


def with_quarters(scene: TriangleScene) -> TriangleScene:
    """The scene with each emitter cut into four at the midpoints of its edges."""
    emits = scene.emitters
    a, b, c = np.moveaxis(scene.triangles[emits], 1, 0)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    corners = np.stack([(a, ab, ca), (ab, b, bc), (ca, bc, c), (bc, ca, ab)]).transpose(2, 0, 1, 3)
    return with_emitters(
        scene, corners.reshape(-1, 3, 3), scene.vn[emits].repeat(4, 0), scene.material[emits].repeat(4, 0)
    )


def with_emitters(scene: TriangleScene, corners: Corners, normals: Corners, material: Corners) -> TriangleScene:
    """The scene with other emitters, as its last triangles."""
    rest = ~scene.emitters
    return replace(
        scene,
        triangles=np.concatenate([scene.triangles[rest], corners]).astype(np.float32),
        vn=np.concatenate([scene.vn[rest], normals]).astype(np.float32),
        material=np.concatenate([scene.material[rest], material]).astype(np.float32),
    )


def with_one_light(scene: TriangleScene, shape: Callable[[float, Corners], Corners]) -> TriangleScene:
    """The scene with one light in place of all others, at the brightest one and with the light of all together.

    shape(area, normal): triangles around the origin with that area; the light is that much nearer to the scene's centre
    that it touches no ceiling.
    """
    emits = scene.emitters
    corners, emission = scene.triangles[emits].astype(np.float64), scene.material[emits][:, EMISSION].astype(np.float64)
    area = triangle_areas(corners)
    brightest = int((area * emission.sum(1)).argmax())
    lamp = (emission == emission[brightest]).all(1)
    place = np.average(corners[lamp].mean(1), axis=0, weights=area[lamp])
    pieces = shape(float(area[lamp].sum()), face_normals(corners)[brightest])
    reach = float(np.linalg.norm(pieces, axis=2).max())
    pieces = pieces + place * (1 - reach / max(float(np.linalg.norm(place)), reach))
    normals = np.repeat(face_normals(pieces)[:, None], 3, axis=1)
    material = scene.material[emits][[brightest]].repeat(len(pieces), 0)
    material[:, EMISSION] = (area[:, None] * emission).sum(0) / triangle_areas(pieces).sum()
    return with_emitters(scene, pieces, normals, material)


def sphere(faces: int) -> Callable[[float, Corners], Corners]:
    """A sphere with a given number of faces and surface area."""
    corners = np.asarray(geodesic_sphere(faces).triangles, dtype=np.float64)
    return lambda area, _: corners * np.sqrt(area / triangle_areas(corners).sum())


def strip(cells: int) -> Callable[[float, Corners], Corners]:
    """A rectangle of 2 x `cells` triangles."""

    def make(area: float, normal: Corners) -> Corners:
        along = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
        along /= np.linalg.norm(along)
        scale = np.sqrt(area / (STRIP[0] * STRIP[1]))
        x = np.linspace(-0.5, 0.5, cells + 1)[:, None] * STRIP[1] * scale * along
        y = 0.5 * STRIP[0] * scale * np.cross(normal, along)
        a, b, c, d = x[:-1] - y, x[1:] - y, x[1:] + y, x[:-1] + y
        return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])

    return make


def cases(scene: TriangleScene) -> dict[str, TriangleScene]:
    """The scene with its lights cut or replaced."""
    quarters = with_quarters(scene)
    return {
        "uncut": scene,
        "4 pieces": quarters,
        "16 pieces": with_quarters(quarters),
        "sphere of 20": with_one_light(scene, sphere(20)),
        "sphere of 320": with_one_light(scene, sphere(320)),
        "strip of 2": with_one_light(scene, strip(1)),
        "strip of 1,000": with_one_light(scene, strip(500)),
    }


def render(model: RenderFormer, scene: TriangleScene, resolution: int) -> Image:
    """[H, W, 3] the first view."""
    return np.asarray(model.render(scene, resolution, views=[0])[0].numpy())


def decibels(image: Image, reference: Image) -> float:
    """PSNR on clamp(log2(1 + radiance), 0, 1)."""
    a, b = (log_radiance(torch.from_numpy(np.maximum(x, 0)))[None] for x in (image, reference))
    return float(psnr(a, b))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["tiny", "tiny@nearfar:128", "tiny-performer"])
    parser.add_argument("--data", type=Path, default=Path("data-test"), help="dataset; made if it is missing")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--resolution", type=int, default=64, help="divides that of the dataset")
    parser.add_argument("--paths", type=int, default=64, help="of the path tracer per pixel, denoised")
    arguments = parser.parse_args()
    command = ["gen-data", "--split", "test", "--scenes", str(arguments.scenes), "--out", str(arguments.data)]
    subprocess.run([sys.executable, "-c", "from rfcli.cli.app import main; main()", *command], check=True)
    models = {name: parse_model(name) for name in arguments.models}
    tracer = PathTracer(arguments.paths, threads=1)
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = {}

    for number, entry in enumerate(read_manifest(arguments.data)[: arguments.scenes]):
        sample, resolution = read_sample(arguments.data / entry.file), arguments.resolution
        scenes = cases(replace(sample.scene, c2w=sample.scene.c2w[:1], fov=sample.scene.fov[:1]))
        truths = {"uncut": at_resolution(sample, resolution).images[0].astype(np.float32)}
        for case, scene in scenes.items():
            same = SAME_SURFACES.get(case)
            if case not in truths:
                truths[case] = truths[same] if same else tracer.render(scene, resolution)[0]
        for name, model in models.items():
            images = {case: render(model, scene, resolution) for case, scene in scenes.items()}
            quality = {case: decibels(image, truths[case]) for case, image in images.items()}
            for case, reference in CASES.items():
                agreement = decibels(images[case], images[reference])
                rows.setdefault((name, case), []).append((quality[case], quality[reference] - quality[case], agreement))
        print(f"scene {number + 1} of {arguments.scenes}", file=sys.stderr, flush=True)

    print("| model | key weight | light | PSNR | loss | PSNR between the two |")
    print("|---|---|---|---|---|---|")
    for (name, case), values in rows.items():
        quality_mean, loss, agreement = np.mean(values, axis=0)
        cut = case != CASES[case]
        numbers = f"{quality_mean:.2f} | {loss:.2f} | {agreement:.1f}" if cut else f"{quality_mean:.2f} | |"
        print(f"| {name} | {models[name].config.key_weight} | {case} | {numbers} |")


if __name__ == "__main__":
    main()
