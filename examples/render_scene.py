"""Render every view of a scene with the bundled model: python examples/render_scene.py [SCENE.json]"""

import sys
from pathlib import Path

import torch

import rfcli
from rfcli.pictures.images import to_display, write_exr, write_png

path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "cornell-box.json"
scene = rfcli.load_scene(path)
arrays = {name: torch.from_numpy(getattr(scene, name))[None] for name in ("triangles", "vn", "c2w", "fov", "material")}

model = rfcli.load_model("tiny")
with torch.inference_mode():
    images = rfcli.render(model, **arrays, resolution=256)[0].numpy()  # [V, H, W, 3], linear HDR

for view, image in enumerate(images):
    write_exr(f"{path.stem}-{view}.exr", image, {"scene": path.name})
    write_png(f"{path.stem}-{view}.png", to_display(image))
    print(f"{path.stem}-{view}.png: {len(scene)} triangles, mean radiance {image.mean():.3f}")
