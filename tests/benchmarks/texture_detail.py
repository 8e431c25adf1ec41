"""A textured model at growing numbers of triangles: `python -m tests.benchmarks.texture_detail`.

Writes texture-detail.png: a globe with a painted map, cut where the map varies, rendered by the bundled model with
near-far attention at 4k, 16k and 64k triangles, beside path tracing of the last. Prints triangles and seconds.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import rfcli
from rfcli.pictures import to_display, write_png
from rfcli.pictures.sheets import contact_sheet
from rfcli.scene import place_file
from rfcli.truth.path_tracer import PathTracer
from tests.support.glb_files import GlbFile

COUNTS = (4096, 16384, 65536)
RESOLUTION = 256


def painted_map(width: int = 1024, height: int = 512) -> np.ndarray:
    """[H, W, 3] uint8: land and sea from smooth noise that closes around the globe, with lines and letters."""
    rng = np.random.default_rng(7)
    v, u = np.indices((height, width)) / np.array([height, width])[:, None, None]
    longitude, latitude = 2 * np.pi * u, np.pi * (v - 0.5)
    point = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], -1)
    noise = np.zeros((height, width))
    for wave in rng.normal(size=(120, 3)) * rng.uniform(1, 5, (120, 1)):
        noise += np.cos(point @ wave + rng.uniform(0, 2 * np.pi)) / np.linalg.norm(wave)
    noise = (noise - np.quantile(noise, 0.6)) / noise.std()
    pixels = np.where(noise[..., None] > 0, (196, 160, 92), (40, 92, 150)).astype(np.uint8)
    pixels[np.abs(noise) < 0.08] = (240, 232, 210)
    lines = (np.abs((u * 12 + 0.5) % 1 - 0.5) < 0.02) | (np.abs((v * 6 + 0.5) % 1 - 0.5) < 0.01)
    pixels[lines] = (225, 225, 225)
    image = Image.fromarray(pixels)
    font = ImageFont.load_default(size=110)
    for place in range(4):
        ImageDraw.Draw(image).text((width * (place + 0.12) / 4, 200), "rf", fill=(170, 30, 30), font=font)
    return np.asarray(image)


def globe(rows: int = 24, columns: int = 48) -> GlbFile:
    """A sphere of rows x columns squares with texture coordinates."""
    v, u = (
        axis.ravel() for axis in np.meshgrid(np.linspace(0, 1, rows + 1), np.linspace(0, 1, columns + 1), indexing="ij")
    )
    longitude, latitude = 2 * np.pi * u, np.pi * (0.5 - v)
    vertices = np.stack(
        [np.cos(latitude) * np.cos(longitude), np.sin(latitude), -np.cos(latitude) * np.sin(longitude)], 1
    )
    corner = np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)
    a, b, c, d = corner, corner + 1, corner + columns + 2, corner + columns + 1
    faces = np.concatenate([np.stack([a, d, c], -1), np.stack([a, c, b], -1)]).reshape(-1, 3)
    glb = GlbFile()
    surface = {"baseColorTexture": {"index": glb.texture(painted_map())}, "metallicFactor": 0, "roughnessFactor": 0.4}
    material = glb.add("materials", {"pbrMetallicRoughness": surface})
    arrays = {"NORMAL": vertices, "TEXCOORD_0": np.stack([u, v], 1)}
    glb.node(mesh=glb.mesh(vertices, faces.astype(np.uint32), material, **arrays))
    return glb


def main() -> None:
    """Render the globe at each count."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    model = rfcli.load_model("tiny", attention="nearfar")
    pictures = []
    with TemporaryDirectory() as folder:
        path = globe().write(Path(folder) / "globe.glb")
        for count in COUNTS:
            scene = place_file(path, detail=count).scene
            start = time.perf_counter()
            image = model.render(scene, resolution=RESOLUTION).numpy()[0]
            print(f"{len(scene):,} triangles: {time.perf_counter() - start:.1f} s", flush=True)
            pictures.append(to_display(image))
    pictures.append(to_display(PathTracer().render(scene, RESOLUTION)[0]))
    write_png("texture-detail.png", contact_sheet(pictures, columns=len(pictures)))


if __name__ == "__main__":
    main()
