"""A fast preview: rasterised by OpenGL (pyrender), direct light without shadows. Not for training."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene import DIFFUSE, EMISSION, SPECULAR, TriangleScene
from rfcli.scene.geometry import triangle_areas
from rfcli.truth.renderer import Images

MAX_LIGHTS = 4  # the strongest emitters; each is a light in the shader
AMBIENT = 0.15  # replaces indirect light
GAMMA = 2.2  # of pyrender's output


@dataclass(frozen=True)
class RasterPreview:
    """Shapes, colours and approximate brightness in milliseconds; emitters become point lights without shadows.

    `render` raises InputError if the machine has no OpenGL that renders off screen.
    """

    def render(self, scene: TriangleScene, resolution: int) -> Images:
        """Images [V, resolution, resolution, 3], linear, 0..1; row 0 at the top."""
        pyrender = load_pyrender()
        world = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 1.0], ambient_light=[AMBIENT] * 3)
        world.add(scene_mesh(pyrender, scene))
        for position, intensity in point_lights(scene):
            pose = np.eye(4)
            pose[:3, 3] = position
            world.add(pyrender.PointLight(color=np.ones(3), intensity=intensity), pose=pose)
        try:
            renderer = pyrender.OffscreenRenderer(resolution, resolution)
        except Exception as error:  # OpenGL errors differ between platforms
            raise InputError(no_opengl(error)) from error
        try:
            return np.stack([self._view(pyrender, renderer, world, scene, v) for v in range(len(scene.c2w))])
        finally:
            renderer.delete()

    def _view(self, pyrender: Any, renderer: Any, world: Any, scene: TriangleScene, view: int) -> Images:
        camera = pyrender.PerspectiveCamera(yfov=np.radians(float(scene.fov[view])), aspectRatio=1.0, znear=0.01)
        node = world.add(camera, pose=scene.c2w[view].astype(np.float64))
        color, _ = renderer.render(world)
        world.remove_node(node)
        linear: Images = ((color[..., :3] / 255.0) ** GAMMA).astype(np.float32)
        return linear


def load_pyrender() -> Any:
    """The module pyrender, set to render off screen.

    Mesa and Triton, which torch imports when it creates an optimizer, each load their own LLVM; the process crashes
    unless Triton's is loaded first.
    """
    with suppress(ImportError):
        import triton  # noqa: F401
    if sys.platform.startswith("linux"):
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender
    except Exception as error:  # PyOpenGL raises all kinds of errors if a library is missing
        raise InputError(no_opengl(error)) from error
    return pyrender


def no_opengl(error: Exception) -> str:
    """The message on a machine without OpenGL."""
    return (
        f"The raster preview needs OpenGL, which is not available ({type(error).__name__}); install Mesa's EGL "
        "(Debian: libegl1 libgl1-mesa-dri), or render without `preview`."
    )


def scene_mesh(pyrender: Any, scene: TriangleScene) -> Any:
    """Both sides of every triangle, with colour diffuse + specular; emitters white."""
    emits = scene.emitters
    color = np.minimum(scene.material[:, DIFFUSE] + scene.material[:, SPECULAR], 1.0)
    primitives = []
    for group, emission in ((~emits, 0.0), (emits, 1.0)):
        if group.any():
            primitives.append(
                pyrender.Primitive(
                    positions=both_sides(scene.triangles[group], 1.0),
                    normals=both_sides(scene.vn[group], -1.0),
                    color_0=np.repeat(np.tile(color[group], (2, 1)), 3, axis=0),
                    material=pyrender.MetallicRoughnessMaterial(
                        baseColorFactor=[1.0, 1.0, 1.0, 1.0],
                        metallicFactor=0.0,
                        roughnessFactor=0.8,
                        emissiveFactor=[emission] * 3,
                    ),
                )
            )
    return pyrender.Mesh(primitives)


def both_sides(corners: npt.NDArray[np.float32], sign: float) -> npt.NDArray[np.float32]:
    """[6 N, 3] the corners [N, 3, 3], then the corners in reverse order times `sign`."""
    both: npt.NDArray[np.float32] = np.concatenate([corners, sign * corners[:, ::-1]]).reshape(-1, 3)
    return both


def point_lights(scene: TriangleScene) -> list[tuple[npt.NDArray[np.float32], float]]:
    """Centres and radiant intensities of the strongest emitting triangles, scaled to the power of all emitters."""
    emits = scene.emitters
    corners = scene.triangles[emits]
    area = triangle_areas(corners)
    intensity = area * scene.material[emits][:, EMISSION].mean(axis=1)
    strongest = np.argsort(-intensity, kind="stable")[:MAX_LIGHTS]
    share = intensity.sum() / max(float(intensity[strongest].sum()), 1e-12)
    return [(corners[i].mean(axis=0), float(intensity[i] * share)) for i in strongest]
