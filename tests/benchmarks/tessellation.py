"""Measures quality under tessellation: `python -m tests.benchmarks.tessellation`.

Scenes of the test split with their surfaces cut into 1, 4, 16 and 64 times as many triangles, rendered by each model
and compared with the path tracer's picture, which is the same for all counts. Prints the mean PSNR on
clamp(log2(1 + radiance), 0, 1), and its loss against the original scene. Above --exact triangles near-far attention
replaces softmax; below, the PSNR between the pictures of the two is shown.

For comparison, a model in which all triangles have the same key weight, and one with area weights, trained as long:

    cp -r rfcli/weights/rf-tiny counting && sed -i 's/"area"/"count"/' counting/config.json
    rf finetune --from counting --data new --triangles 256-1k --steps 600 --rate 3e-4 --seed 1 --out runs/count
    rf finetune --from tiny --data new --triangles 256-1k --steps 600 --rate 3e-4 --seed 1 --out runs/area
    python -m tests.benchmarks.tessellation tiny runs/area runs/count
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.sample import read_sample
from rfcli.metrics.scores import score
from rfcli.model import RenderFormer, SceneBatch, convert, load
from rfcli.model.batch import camera_tensors
from rfcli.model.rendering import render_views
from rfcli.scene import TriangleScene
from rfcli.study.scenes.tessellation import tessellated

FACTORS = (1, 4, 16, 64)
KEYS = 1024  # the default of near-far attention
MAX_TRIANGLES = 65536  # of a scene at the largest factor
CPU = torch.device("cpu")
Image = npt.NDArray[np.float32]


def render(model: RenderFormer, scene: TriangleScene, views: int, resolution: int) -> list[Image]:
    """Images [H, W, 3] of the first `views` cameras."""
    batch, (c2w, fov) = SceneBatch.from_scenes(scene), camera_tensors(scene)
    rendered = render_views(model, batch, c2w[:, :views], fov[:, :views], resolution)
    return [image[0, 0].numpy() for image, _, _ in rendered]


def psnr(images: list[Image], references: list[Image]) -> float:
    """Mean PSNR (dB) over the views."""
    return float(np.mean([score(*pair)[0].psnr for pair in zip(images, references, strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["tiny"])
    parser.add_argument("--data", type=Path, default=Path("data-test"), help="dataset; made if it is missing")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--views", type=int, default=1, help="cameras of each scene")
    parser.add_argument("--factors", default=",".join(map(str, FACTORS)))
    parser.add_argument("--exact", type=int, default=6144, help="largest number of triangles rendered with softmax")
    arguments = parser.parse_args()
    if not arguments.data.exists():
        command = ["gen-data", "--split", "test", "--scenes", "64", "--out", str(arguments.data)]
        subprocess.run([sys.executable, "-c", "from rfcli.cli.app import main; main()", *command], check=True)
    factors = [int(factor) for factor in arguments.factors.split(",")]
    fitting = [entry for entry in read_manifest(arguments.data) if entry.triangles * max(factors) <= MAX_TRIANGLES]
    models = {name: load(name) for name in arguments.models}
    near_far = {name: convert(model, "nearfar") for name, model in models.items()}
    quality: dict[tuple[str, int], list[float]] = {}
    agreement: dict[tuple[str, int], list[float]] = {}

    for number, entry in enumerate(fitting[: arguments.scenes]):
        sample = read_sample(arguments.data / entry.file)
        truth = [image.astype(np.float32) for image in sample.images[: arguments.views]]
        resolution = truth[0].shape[0]
        for factor in factors:
            scene = tessellated(sample.scene, factor * len(sample.scene))
            for name, model in models.items():
                exact = len(scene) <= arguments.exact
                images = render(model if exact else near_far[name], scene, arguments.views, resolution)
                quality.setdefault((name, factor), []).append(psnr(images, truth))
                if exact and len(scene) > KEYS:  # below that, near-far attention is exact
                    approximate = render(near_far[name], scene, arguments.views, resolution)
                    agreement.setdefault((name, factor), []).append(psnr(approximate, images))
        print(f"scene {number + 1} of {arguments.scenes}: {entry.triangles} triangles", file=sys.stderr, flush=True)

    print("| model | key weight | triangles | PSNR against truth | loss | near-far and softmax |")
    print("|---|---|---|---|---|---|")
    for name, model in models.items():
        for factor in factors:
            decibels = float(np.mean(quality[name, factor]))
            loss = float(np.mean(quality[name, factors[0]])) - decibels
            values = agreement.get((name, factor), [])
            agreement_text = f"{np.mean(values):.1f} dB, minimum {min(values):.1f} of {len(values)}" if values else ""
            print(
                f"| {name} | {model.config.key_weight} | {factor}x | {decibels:.2f} | {loss:+.2f} | {agreement_text} |"
            )


if __name__ == "__main__":
    main()
