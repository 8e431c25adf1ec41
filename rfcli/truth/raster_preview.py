"""A quick look at a scene: rasterised by OpenGL (pyrender), direct light without shadows. Not a truth to learn from."""

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

MAX_LIGHTS = 4  # the strongest emitters; each costs a light in the shader
AMBIENT = 0.15  # stands for all indirect light
GAMMA = 2.2  # pyrender's encoding of its output


@dataclass(frozen=True)
class RasterPreview:
    """Shapes, colours and rough brightness in milliseconds: emitters become point lights, without shadows or bounces.

    Raises InputError where the machine has no OpenGL to render with off screen.
    """

    def render(self, scene: TriangleScene, resolution: int) -> Images:
        """Images [V, resolution, resolution, 3], linear, 0..1; row 0 on top."""
        pyrender = load_pyrender()
        world = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 1.0], ambient_light=[AMBIENT] * 3)
        world.add(mesh_of(pyrender, scene))
        for place, intensity in point_lights(scene):
            pose = np.eye(4)
            pose[:3, 3] = place
            world.add(pyrender.PointLight(color=np.ones(3), intensity=intensity), pose=pose)
        try:
            renderer = pyrender.OffscreenRenderer(resolution, resolution)
        except Exception as error:  # each platform's OpenGL fails in its own way
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
    """The module, told to render off screen where there is no display.

    Mesa and Triton, which torch loads when it makes an optimiser, bring an LLVM each; the process survives both only
    where Triton's is loaded first.
    """
    with suppress(ImportError):
        import triton  # noqa: F401
    if sys.platform.startswith("linux"):
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender
    except Exception as error:  # PyOpenGL raises whatever the missing library leads to
        raise InputError(no_opengl(error)) from error
    return pyrender


def no_opengl(error: Exception) -> str:
    """The sentence for a machine without OpenGL."""
    return (
        f"The raster preview needs OpenGL, and there is none here ({type(error).__name__}); install Mesa's EGL "
        "(Debian: libegl1 libgl1-mesa-dri), or render without --preview."
    )


def mesh_of(pyrender: Any, scene: TriangleScene) -> Any:
    """Both sides of every triangle, coloured by diffuse + specular; emitters white."""
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
    """Corners [N, 3, 3], and again in reverse order times `sign`, as a list [6 N, 3]."""
    both: npt.NDArray[np.float32] = np.concatenate([corners, sign * corners[:, ::-1]]).reshape(-1, 3)
    return both


def point_lights(scene: TriangleScene) -> list[tuple[npt.NDArray[np.float32], float]]:
    """Centres and radiant intensities of the strongest emitting triangles, the rest's power shared among them."""
    emits = scene.emitters
    corners = scene.triangles[emits]
    area = triangle_areas(corners)
    intensity = area * scene.material[emits][:, EMISSION].mean(axis=1)
    strongest = np.argsort(-intensity, kind="stable")[:MAX_LIGHTS]
    share = intensity.sum() / max(float(intensity[strongest].sum()), 1e-12)
    return [(corners[i].mean(axis=0), float(intensity[i] * share)) for i in strongest]
