"""Small scene files, as a user would write them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def description(**material: Any) -> dict[str, Any]:
    """One triangle and one camera in the official schema."""
    return {
        "scene_name": "test",
        "version": "1.0",
        "objects": {
            "part": {
                "mesh_path": "meshes/part.obj",
                "transform": {
                    "translation": [0.0, 0.0, 0.0],
                    "rotation": [0.0, 0.0, 0.0],
                    "scale": [1.0, 1.0, 1.0],
                    "normalize": False,
                },
                "material": {
                    "diffuse": [0.2, 0.4, 0.6],
                    "specular": [0.25, 0.25, 0.25],
                    "roughness": 0.5,
                    "emissive": [0.0, 0.0, 0.0],
                    "smooth_shading": False,
                    **material,
                },
            }
        },
        "cameras": [{"position": [0.0, -2.0, 0.0], "look_at": [0.0, 0.0, 0.0], "up": [0.0, 0.0, 1.0], "fov": 40}],
    }


def scene_writer(folder: Path) -> Callable[..., Path]:
    """write(scene, mesh): writes scene.json and its one OBJ file into the folder, returns the path of scene.json."""

    def write(scene: dict[str, Any] | str, mesh: str | bytes | None = TRIANGLE) -> Path:
        (folder / "meshes").mkdir(exist_ok=True)
        if mesh is not None:
            data = mesh if isinstance(mesh, bytes) else mesh.encode()
            (folder / "meshes" / "part.obj").write_bytes(data)
        path = folder / "scene.json"
        path.write_text(scene if isinstance(scene, str) else json.dumps(scene), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_scene(tmp_path: Path) -> Callable[..., Path]:
    """`scene_writer` in a temporary folder."""
    return scene_writer(tmp_path)
