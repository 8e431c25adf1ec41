"""Whether pictures stay right as triangles grow: `python tests/benchmarks/tessellation.py`.

Scenes of the test split, each with its surfaces in 1, 4, 16 and 64 times as many triangles, rendered by each model and
compared with the path tracer's picture, which is the same for all: a finer tessellation has the same surfaces. Numbers
are means of PSNR on clamp(log2(1 + radiance), 0, 1), and what is lost of it against the scene as it was. Above --exact
triangles near-far attention stands in for softmax; at the counts below, the PSNR between the pictures of both is shown.

A model to compare with, in which every triangle has one vote, and its counterpart, trained as long:

    cp -r rfcli/weights/rf-tiny counting && sed -i 's/"area"/"count"/' counting/config.json
    rf finetune --from counting --data new --triangles 256-1k --steps 600 --rate 3e-4 --seed 1 --out runs/count
    rf finetune --from tiny --data new --triangles 256-1k --steps 600 --rate 3e-4 --seed 1 --out runs/area
    python tests/benchmarks/tessellation.py tiny runs/area runs/count
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
from rfcli.model import RenderFormer, convert, load
from rfcli.model.rendering import render_views
from rfcli.scene import TriangleScene
from rfcli.study.scenes.random_triangles import one_scene
from rfcli.study.scenes.tessellation import tessellated

FACTORS = (1, 4, 16, 64)
KEYS = 1024  # of near-far attention's defaults
MOST = 65536  # triangles of a scene at the last factor
CPU = torch.device("cpu")
Image = npt.NDArray[np.float32]


def picture(model: RenderFormer, scene: TriangleScene, views: int, resolution: int) -> list[Image]:
    """The first views of a scene, [H, W, 3] each."""
    batch, (c2w, fov) = one_scene(scene, CPU)
    rendered = render_views(model, batch, c2w[:, :views], fov[:, :views], resolution)
    return [image[0, 0].numpy() for image, _, _ in rendered]


def psnr(images: list[Image], references: list[Image]) -> float:
    """Mean over the views, dB."""
    return float(np.mean([score(*pair)[0].psnr for pair in zip(images, references, strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["tiny"])
    parser.add_argument("--data", type=Path, default=Path("data-test"), help="made where it is not there yet")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--views", type=int, default=1, help="of each scene")
    parser.add_argument("--factors", default=",".join(map(str, FACTORS)))
    parser.add_argument("--exact", type=int, default=6144, help="triangles up to which softmax is used")
    told = parser.parse_args()
    command = ["gen-data", "--split", "test", "--scenes", "64", "--out", str(told.data)]
    subprocess.run([sys.executable, "-c", "from rfcli.cli.app import main; main()", *command], check=True)
    factors = [int(factor) for factor in told.factors.split(",")]
    fitting = [entry for entry in read_manifest(told.data) if entry.triangles * max(factors) <= MOST]
    models = {name: load(name) for name in told.models}
    near_far = {name: convert(model, "nearfar") for name, model in models.items()}
    found: dict[tuple[str, int], list[float]] = {}
    agreement: dict[tuple[str, int], list[float]] = {}

    for number, entry in enumerate(fitting[: told.scenes]):
        sample = read_sample(told.data / entry.file)
        truth = [image.astype(np.float32) for image in sample.images[: told.views]]
        resolution = truth[0].shape[0]
        for factor in factors:
            scene = tessellated(sample.scene, factor * len(sample.scene))
            for name, model in models.items():
                exact = len(scene) <= told.exact
                images = picture(model if exact else near_far[name], scene, told.views, resolution)
                found.setdefault((name, factor), []).append(psnr(images, truth))
                if exact and len(scene) > KEYS:  # fewer are all attended to one by one
                    pooled = picture(near_far[name], scene, told.views, resolution)
                    agreement.setdefault((name, factor), []).append(psnr(pooled, images))
        print(f"scene {number + 1} of {told.scenes}: {entry.triangles} triangles", file=sys.stderr, flush=True)

    print("| model | key weight | triangles | PSNR against truth | loss | near-far and softmax |")
    print("|---|---|---|---|---|---|")
    for name, model in models.items():
        for factor in factors:
            decibels = float(np.mean(found[name, factor]))
            loss = float(np.mean(found[name, factors[0]])) - decibels
            both = agreement.get((name, factor), [])
            told_of_it = f"{np.mean(both):.1f} dB, {min(both):.1f} at worst of {len(both)}" if both else ""
            print(f"| {name} | {model.config.key_weight} | {factor}x | {decibels:.2f} | {loss:+.2f} | {told_of_it} |")


if __name__ == "__main__":
    main()
