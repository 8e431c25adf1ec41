"""What the page changes in a scene: radiance and position of lights, materials of objects.

The original scene stays as it is; `SceneEdits` is an immutable value, from which the changed scene is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR, TriangleScene
from rfcli.scene.inventory import part_triangles

Indices = npt.NDArray[np.int64]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Emitting triangles of one object and one radiance.

    Attributes:
        name: Of its object, with a number if the object has several lights.
        triangles: [K] indices of its triangles.
        radiance: Red, green and blue, as in the scene's file.
        centre: Mean of its vertices.
    """

    name: str
    triangles: Indices
    radiance: Triple
    centre: Triple


@dataclass(frozen=True)
class Material:
    """Colours and roughness of an object; the means over its triangles if they differ."""

    diffuse: Triple
    specular: Triple
    roughness: float


@dataclass(frozen=True)
class EditableScene:
    """A scene with its objects and lights.

    Attributes:
        scene: As it was read.
        parts: Names of the objects, and the indices of their triangles. Scenes without objects have one part for each
            material.
        lights: The lights, in the order of their first triangles.
    """

    scene: TriangleScene
    parts: Mapping[str, Indices]
    lights: Sequence[Light]

    @classmethod
    def of(cls, scene: TriangleScene, path: Path | None = None) -> "EditableScene":
        """A scene with the objects that its file names, if it is a .json file, else with a part for each material."""
        parts = part_triangles(scene, path)
        return cls(scene, parts, _lights(scene, parts))

    @property
    def surfaces(self) -> Sequence[str]:
        """Names of the parts that reflect light."""
        return [name for name, triangles in self.parts.items() if not self.scene.emitters[triangles].all()]

    def material(self, part: str) -> Material:
        """The material of a part as it was read."""
        triangles = self.parts[part]
        rows = self.scene.material[triangles[~self.scene.emitters[triangles]]].astype(np.float64)
        mean = rows.mean(axis=0)
        return Material(_triple(mean[DIFFUSE]), _triple(mean[SPECULAR]), float(mean[ROUGHNESS]))

    def part_of(self, triangle: int) -> str:
        """Name of the part of a triangle."""
        return next(name for name, triangles in self.parts.items() if triangle in triangles)


@dataclass(frozen=True)
class SceneEdits:
    """All changes of a scene; equal values make equal scenes.

    Attributes:
        radiance: New radiance by number of a light.
        offset: Translation by number of a light.
        material: New material by name of a part.
    """

    radiance: Mapping[int, Triple] = field(default_factory=dict)
    offset: Mapping[int, Triple] = field(default_factory=dict)
    material: Mapping[str, Material] = field(default_factory=dict)

    def with_radiance(self, light: int, radiance: Triple) -> "SceneEdits":
        return replace(self, radiance={**self.radiance, light: radiance})

    def with_offset(self, light: int, offset: Triple) -> "SceneEdits":
        return replace(self, offset={**self.offset, light: offset})

    def with_material(self, part: str, material: Material) -> "SceneEdits":
        return replace(self, material={**self.material, part: material})

    def radiance_of(self, original: EditableScene, light: int) -> Triple:
        """The radiance of a light after the changes."""
        return self.radiance.get(light, original.lights[light].radiance)

    def without_radiance(self) -> "SceneEdits":
        """The changes of positions and materials only."""
        return replace(self, radiance={})

    def apply(self, original: EditableScene) -> TriangleScene:
        """The changed scene. A light without radiance reflects nothing, as all emitters do."""
        scene = original.scene
        triangles, material = scene.triangles.copy(), scene.material.copy()
        for part, new in self.material.items():
            surface = original.parts[part][~scene.emitters[original.parts[part]]]
            material[surface, DIFFUSE] = new.diffuse
            material[surface, SPECULAR] = new.specular
            material[surface, ROUGHNESS] = new.roughness
        for number, radiance in self.radiance.items():
            set_radiance(material, original.lights[number].triangles, radiance)
        for number, offset in self.offset.items():
            triangles[original.lights[number].triangles] += np.array(offset, dtype=np.float32)
        return replace(scene, triangles=triangles, material=material)


def one_light(scene: TriangleScene, lights: Sequence[Light], number: int, radiance: Triple) -> TriangleScene:
    """The scene with one light on, which has the given radiance; the others stay in place and reflect nothing."""
    material = scene.material.copy()
    for index, light in enumerate(lights):
        set_radiance(material, light.triangles, radiance if index == number else (0.0, 0.0, 0.0))
    return replace(scene, material=material)


def set_radiance(material: npt.NDArray[np.float32], triangles: Indices, radiance: Triple) -> None:
    """Set the emission of some triangles of `material` [N, 13]; without emission they are black."""
    material[triangles, EMISSION] = radiance
    if not any(radiance):
        material[triangles, DIFFUSE] = 0.0
        material[triangles, SPECULAR] = 0.0


def _lights(scene: TriangleScene, parts: Mapping[str, Indices]) -> list[Light]:
    lights = []
    for name, triangles in parts.items():
        emitting = triangles[scene.emitters[triangles]]
        if not len(emitting):
            continue
        values, group = np.unique(scene.material[emitting][:, EMISSION], axis=0, return_inverse=True)
        for number, value in enumerate(values):
            members = emitting[group.reshape(-1) == number]
            title = name if len(values) == 1 else f"{name} {number + 1}"
            centre = scene.triangles[members].astype(np.float64).mean(axis=(0, 1))
            lights.append(Light(title, members, _triple(value), _triple(centre)))
    return sorted(lights, key=lambda light: int(light.triangles[0]))


def _triple(values: npt.NDArray[np.floating]) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z
