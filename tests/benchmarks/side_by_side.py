"""A figure of many models: one row per scene, ground truth first, each picture with its PSNR against one column."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

import rfcli
from rfcli.metrics.scores import score
from rfcli.model import RenderFormer
from rfcli.pictures.images import to_display
from rfcli.truth import PathTracer

Image = npt.NDArray[np.float32]
TRUTH = "path tracer"


def write_figure(
    scenes: Sequence[str], models: Mapping[str, RenderFormer], against: str, resolution: int, paths: int, out: Path
) -> None:
    """Render the first view of each scene with each model, and write the figure.

    models: column title -> model. against: column title to compare with, `TRUTH` or a key of models. The PSNR is on
    clamp(log2(1 + radiance), 0, 1). paths: samples per pixel of the path tracer.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = [TRUTH, *models]
    size = (2.0 * len(columns), 2.25 * len(scenes) + 0.35)
    figure, axes = plt.subplots(len(scenes), len(columns), figsize=size, squeeze=False)
    for name, axis in zip(columns, axes[0], strict=True):
        axis.set_title(name, fontsize=9)
    for row, path in zip(axes, scenes, strict=True):
        scene = rfcli.load_scene(path)
        images: list[Image] = [PathTracer(samples_per_pixel=paths).render(scene, resolution)[0]]
        images += [model.render(scene, resolution, views=[0])[0].numpy() for model in models.values()]
        for axis, image, name in zip(row, images, columns, strict=True):
            axis.imshow(to_display(image))
            axis.set_xticks([])
            axis.set_yticks([])
            if columns.index(name) > columns.index(against):
                scores, _ = score(image, images[columns.index(against)])
                axis.set_xlabel(f"{scores.psnr:.1f} dB", fontsize=9)
    figure.tight_layout(pad=0.4)
    figure.savefig(out, dpi=110)
    print(f"{out}: {len(columns)} columns, {len(scenes)} scenes.")
