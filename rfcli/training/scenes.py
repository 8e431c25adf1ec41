"""The dataset in memory, as training reads it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange

from rfcli.dataset.training_scene import TrainingScene, read_training_scene
from rfcli.model import RenderFormerConfig
from rfcli.model.first_hit import visible_triangles
from rfcli.model.rays import to_camera


def read_scenes(paths: list[Path], resolution: int, config: RenderFormerConfig) -> list[TrainingScene]:
    """Scenes with images at `resolution`, and with what each pixel sees where the model wants to be told.

    Visibility survives every augmentation (mirrors flip it with the image), so it is computed once.
    """
    scenes = [read_training_scene(path, resolution) for path in paths]
    if config.visibility == "first-hit":
        scenes = [replace(scene, visible=seen_by_pixels(scene, resolution)) for scene in scenes]
    return scenes


def seen_by_pixels(scene: TrainingScene, resolution: int) -> npt.NDArray[np.int32]:
    """[V, H, H] the triangle that each pixel of each view sees, -1 for none."""
    triangles = torch.from_numpy(scene.triangles)
    in_views = to_camera(triangles.flatten(0, 1)[None], torch.from_numpy(scene.c2w)[None])
    in_views = rearrange(in_views, "1 v (n k) c -> v n k c", k=3)
    mask = torch.ones(len(triangles), dtype=torch.bool)
    views = zip(in_views, torch.from_numpy(scene.fov), strict=True)
    seen = [visible_triangles(view, mask, fov, resolution) for view, fov in views]
    return torch.stack(seen).numpy().astype(np.int32)
