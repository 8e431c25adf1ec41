"""Renders every camera of a scene with the bundled model.

python examples/render_scene.py [SCENE]
"""

import sys
from pathlib import Path

import rfcli
from rfcli.pictures import to_display, write_exr, write_png

path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "cornell-box.json"
scene = rfcli.load_scene(path)
model = rfcli.load_model("tiny")
images = model.render(scene, resolution=256)  # [views, height, width, 3], linear HDR

for view, image in enumerate(images.numpy()):
    write_exr(f"{path.stem}-{view}.exr", image)
    write_png(f"{path.stem}-{view}.png", to_display(image))
    print(f"{path.stem}-{view}.png: {len(scene)} triangles, mean radiance {image.mean():.3f}")
