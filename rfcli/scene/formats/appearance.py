"""Materials of files as the rows that renderers take: means over each triangle.

Conversion from metallic-roughness: appendix B of glTF 2.0 (metal and dielectric as layers of a diffuse and a GGX lobe),
with its Fresnel term replaced by F0, the reflectance at normal incidence where not metallic:

    diffuse  = (1 - metallic) (1 - max(F0)) base
    specular = (1 - metallic) F0 + metallic base
    alpha    = roughness^2

For `base` <= 1 this reflects no more light than arrives. The GGX lobe of RenderFormer has no Fresnel term, so grazing
reflections are weaker than in a glTF viewer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfcli.scene.formats.contents import Floats, Indices, Material, Part, Texture
from rfcli.scene.formats.surface import COLOUR, UV, UV1, Surface
from rfcli.scene.formats.textures import TEXELS_PER_EDGE, Pyramid
from rfcli.scene.triangle_scene import DIFFUSE, EMISSION, FLAT_NORMAL, NORMAL, ROUGHNESS, SPECULAR

F0 = 0.03  # of materials that a file does not have
MATTE = Material(  # of parts without one: diffuse 0.75, 0.6, 0.45
    base_colour=(0.75 / (1 - F0), 0.6 / (1 - F0), 0.45 / (1 - F0)), specular=(F0, F0, F0), roughness=0.6
)
WHITE = replace(MATTE, base_colour=(1.0, 1.0, 1.0))  # of parts that have colours only
MAX_STEPS = 2 * TEXELS_PER_EDGE  # points along an edge of a triangle at which its material is evaluated
POINTS_AT_ONCE = 1 << 15  # few enough for the cache of a processor
HALF = 0.5  # alpha at which transparent surfaces are cut: triangles are opaque


@dataclass(frozen=True, eq=False)
class Appearance:
    """Means over each of N triangles.

    Attributes:
        material: [N, 13] row of `TriangleScene`; mean over what is there.
        coverage: [N] share that is there, 0..1; less than 1 where alpha cuts out.
        deviation: [N] root mean square deviation of colours and coverage within the triangle.
    """

    material: Floats
    coverage: Floats
    deviation: Floats


class Materials:
    """The materials of a surface's parts, whose textures are prepared once."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._pyramids: dict[tuple[int, bool, float | None], Pyramid] = {}

    def appearance(self, surface: Surface) -> Appearance:
        """Means of the material over each triangle."""
        material, coverage = np.zeros((len(surface), 13)), np.ones(len(surface))
        deviation = np.zeros(len(surface))
        material[:, NORMAL] = FLAT_NORMAL
        for number in np.unique(surface.part):
            members = np.flatnonzero(surface.part == number)
            part = self._parts[number]
            source = part.material or (MATTE if part.colours is None and part.face_colours is None else WHITE)
            self._fill(source, surface.corners[members], members, Appearance(material, coverage, deviation))
        return Appearance(material, coverage, deviation)

    def _fill(self, source: Material, corners: Floats, members: Indices, into: Appearance) -> None:
        """Write the means of one part's triangles, in blocks with the same number of points per triangle."""
        textures = self._textures(source)
        texels = {name: pyramid.edge_texels(_uv(corners, pyramid.texture)) for name, pyramid in textures.items()}
        needed = np.maximum.reduce([np.ones(len(corners)), *(np.minimum(2 * t, MAX_STEPS) for t in texels.values())])
        if np.ptp(corners[..., COLOUR], axis=1).max(initial=0) > 0:
            needed = np.maximum(needed, 4)
        steps = 2 ** np.ceil(np.log2(needed)).astype(int)
        for count in np.unique(steps):
            weights = _points(count)
            group = np.flatnonzero(steps == count)
            for block in np.array_split(group, max(1, len(group) * len(weights) // POINTS_AT_ONCE)):
                at = weights @ corners[block]
                found = {
                    name: pyramid.look_up(_uv(at, pyramid.texture), texels[name][block])
                    for name, pyramid in textures.items()
                }
                rows, there = evaluated(source, at[..., COLOUR], found)
                share = there.mean(axis=1)
                mean = (rows * there[..., None]).sum(1) / np.maximum(there.sum(1), 1e-12)[:, None]
                mean[share == 0] = rows[share == 0].mean(axis=1)
                into.material[members[block]] += mean
                into.coverage[members[block]] = share
                into.deviation[members[block]] = _deviation(rows, there, mean, share, _within(source, found))

    def _textures(self, source: Material) -> dict[str, Pyramid]:
        cutoff = _cutoff(source)
        wanted = {
            "base": (source.base_texture, True, None if cutoff is None else cutoff / max(source.opacity, 1e-6)),
            "metallic": (source.metallic_texture, False, None),
            "specular": (source.specular_texture, False, None),
            "specular colour": (source.specular_colour_texture, True, None),
            "emission": (source.emission_texture, True, None),
        }
        found = {}
        for name, (texture, srgb, cut) in wanted.items():
            if texture is not None:
                key = (id(texture), srgb, cut)
                if key not in self._pyramids:
                    self._pyramids[key] = Pyramid(texture, srgb, cut)
                found[name] = self._pyramids[key]
        return found


def evaluated(
    source: Material, colour: Floats, textures: Mapping[str, npt.NDArray[np.float32]]
) -> tuple[Floats, npt.NDArray[np.floating]]:
    """Rows of material [F, S, 13] and coverage [F, S] at points with vertex colours [F, S, 4] and texels [F, S, 5].

    The tangent normal, which is the same everywhere, is left 0.
    """
    base = np.asarray(source.base_colour) * colour[..., :3]
    alpha = source.opacity * colour[..., 3]
    cutoff, there = _cutoff(source), np.ones(alpha.shape)
    if cutoff is not None:
        there = (alpha >= cutoff * (1 - 1e-9)).astype(np.float64)
    if "base" in textures:
        texel = textures["base"].astype(np.float64)
        if cutoff is None:
            base = base * texel[..., :3]
        else:  # colours are weighted by alpha, which is coverage
            there = (colour[..., 3] * source.opacity > 0) * texel[..., 3]
            base = base * texel[..., :3] / np.maximum(texel[..., 3:4], 1e-6)
    metallic, roughness = np.full(alpha.shape, source.metallic), np.full(alpha.shape, source.roughness)
    if "metallic" in textures:
        metallic, roughness = metallic * textures["metallic"][..., 2], roughness * textures["metallic"][..., 1]
    reflectance = np.broadcast_to(np.asarray(source.specular), base.shape)
    if "specular" in textures:
        reflectance = reflectance * textures["specular"][..., 3:4]
    if "specular colour" in textures:
        reflectance = reflectance * textures["specular colour"][..., :3]
    emission = np.broadcast_to(np.asarray(source.emission), base.shape)
    if "emission" in textures:
        emission = emission * textures["emission"][..., :3]
    rows = np.zeros((*alpha.shape, 13))
    rest = (1 - metallic)[..., None]
    rows[..., DIFFUSE] = rest * (1 - reflectance.max(axis=-1, keepdims=True)) * base
    rows[..., SPECULAR] = rest * reflectance + metallic[..., None] * base
    rows[..., ROUGHNESS] = roughness
    rows[..., EMISSION] = emission
    if source.unlit:
        rows[..., DIFFUSE], rows[..., SPECULAR], rows[..., EMISSION] = 0.0, 0.0, base
    return rows, there


def _points(steps: int) -> Floats:
    """[steps^2, 3] barycentric coordinates of the centres of equal parts of a triangle; their mean is its centre."""
    i, j = np.indices((steps, steps)).reshape(2, -1)
    upward = np.stack([i + 1 / 3, j + 1 / 3], 1)[i + j < steps]
    downward = np.stack([i + 2 / 3, j + 2 / 3], 1)[i + j < steps - 1]
    two = np.concatenate([upward, downward]) / steps
    return np.column_stack([1 - two.sum(axis=1), two])


def _uv(corners: Floats, texture: Texture) -> Floats:
    return corners[..., UV1 if texture.uv_set == 1 else UV]


def _cutoff(source: Material) -> float | None:
    return {"opaque": None, "mask": source.alpha_cutoff, "blend": HALF}[source.alpha_mode]


def _within(source: Material, textures: Mapping[str, npt.NDArray[np.float32]]) -> Floats | float:
    """[F, S] variance of colours within the texels that were looked up, which are means of finer ones."""
    factors = {"base": source.base_colour, "emission": tuple(min(value, 1.0) for value in source.emission)}
    total: Floats | float = 0.0
    for name in factors.keys() & textures.keys():
        texel = textures[name].astype(np.float64)
        weight = np.maximum(texel[..., 3], 1e-6) if name == "base" and _cutoff(source) is not None else 1.0
        mean = (texel[..., :3] ** 2).mean(axis=-1) / weight**2
        total = total + np.maximum(texel[..., 4] / weight - mean, 0.0) * float(np.mean(np.square(factors[name])))
    return total


def _deviation(
    rows: Floats, there: npt.NDArray[np.floating], mean: Floats, share: npt.NDArray[np.floating], within: Floats | float
) -> Floats:
    """[F] root mean square over points and channels of reflected colour, emission (clipped at 1) and coverage."""

    def seen(values: Floats) -> Floats:
        return np.concatenate(
            [values[..., DIFFUSE] + values[..., SPECULAR], np.minimum(values[..., EMISSION], 1.0)], axis=-1
        )

    squares = ((seen(rows) - seen(mean)[:, None]) ** 2).sum(axis=-1) / 3 + within
    return np.asarray(np.sqrt((squares * there).mean(axis=1) + share * (1 - share)))
