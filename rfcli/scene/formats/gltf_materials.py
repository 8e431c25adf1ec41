"""Materials and textures of glTF 2.0 files.

Metallic-roughness [3.9], and KHR_materials_emissive_strength, _ior, _specular, _unlit, _pbrSpecularGlossiness,
KHR_texture_transform, EXT_texture_webp. Images are decoded when a material in use refers to them.
"""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene.formats.contents import Colour, Floats, Material, Texture, Wrap
from rfcli.scene.formats.gltf_accessors import GltfFile
from rfcli.scene.formats.images import MAX_IMAGE_BYTES, decode_image

WRAPS: dict[int, Wrap] = {10497: "repeat", 33648: "mirror", 33071: "clamp"}
MAX_PIXELS = 1 << 28  # of all images of a file: 1 GB as rgba
OTHER_LOBES = {  # extensions without which a material looks different, and what is missing
    "KHR_materials_transmission": "transparency of glass (drawn opaque)",
    "KHR_materials_diffuse_transmission": "translucency",
    "KHR_materials_volume": "absorption in volumes",
    "KHR_materials_clearcoat": "clear coats",
    "KHR_materials_sheen": "sheen of cloth",
    "KHR_materials_anisotropy": "anisotropy of highlights",
    "KHR_materials_iridescence": "iridescence",
}


class GltfMaterials:
    """The materials of one file, read when they are first used.

    Attributes:
        left_out: How many materials have each property that pictures do not show.
    """

    def __init__(self, gltf: GltfFile) -> None:
        self._gltf = gltf
        self._materials: dict[int, Material] = {}
        self._images: dict[int, npt.NDArray[np.uint8] | None] = {}
        self._pixels = 0
        self.left_out: Counter[str] = Counter()

    def material(self, index: int) -> Material:
        """The material with this number. Raises InputError if it breaks the specification."""
        if index not in self._materials:
            self._materials[index] = self._read(index)
        return self._materials[index]

    def _read(self, index: int) -> Material:
        gltf, source = self._gltf, self._gltf.entry("materials", index)
        name = str(source.get("name", f"material {index}"))
        for holder, missing in ((source, "normalTexture"), (source, "occlusionTexture")):
            if missing in holder:
                self.left_out["normal maps" if missing == "normalTexture" else "occlusion maps (computed instead)"] += 1
        extensions = gltf.get(source, "extensions", dict, {})
        for extension in OTHER_LOBES.keys() & extensions.keys():
            self.left_out[OTHER_LOBES[extension]] += 1
        emissive = gltf.extension(source, "KHR_materials_emissive_strength") or {}
        strength = gltf.get(emissive, "emissiveStrength", float, 1.0)
        mode = gltf.get(source, "alphaMode", str, "OPAQUE")
        if mode not in ("OPAQUE", "MASK", "BLEND"):
            raise gltf.broken(f"materials[{index}] has the unknown alphaMode {mode[:20]}")
        if strength < 0:
            raise gltf.broken(f"materials[{index}] has a negative emissiveStrength")
        surface = self._glossiness(source) or self._metallic(source)
        return Material(
            name=name,
            emission=_colour(strength * gltf.numbers(source, "emissiveFactor", (0.0, 0.0, 0.0)), high=np.inf),
            emission_texture=self._texture(source, "emissiveTexture"),
            alpha_mode={"OPAQUE": "opaque", "MASK": "mask", "BLEND": "blend"}[mode],  # type: ignore[arg-type]
            alpha_cutoff=gltf.get(source, "alphaCutoff", float, 0.5),
            double_sided=gltf.get(source, "doubleSided", bool, False),
            unlit="KHR_materials_unlit" in extensions,
            **surface,
        )

    def _metallic(self, source: dict[str, Any]) -> dict[str, Any]:
        gltf = self._gltf
        surface = gltf.get(source, "pbrMetallicRoughness", dict, {})
        base = gltf.numbers(surface, "baseColorFactor", (1.0, 1.0, 1.0, 1.0))
        ior = gltf.get(gltf.extension(source, "KHR_materials_ior") or {}, "ior", float, 1.5)
        specular = gltf.extension(source, "KHR_materials_specular") or {}
        # KHR_materials_ior and _specular: F0 = min(((ior - 1) / (ior + 1))^2 colour, 1) weight; an ior of 0 stands for
        # infinity, as in converted specular-glossiness materials.
        reflectance = 1.0 if ior == 0 else ((ior - 1) / (ior + 1)) ** 2 if ior > -1 else 0.04
        colour = gltf.numbers(specular, "specularColorFactor", (1.0, 1.0, 1.0))
        weight = gltf.get(specular, "specularFactor", float, 1.0)
        return {
            "base_colour": _colour(base[:3]),
            "opacity": float(np.clip(base[3], 0, 1)),
            "metallic": float(np.clip(gltf.get(surface, "metallicFactor", float, 1.0), 0, 1)),
            "roughness": float(np.clip(gltf.get(surface, "roughnessFactor", float, 1.0), 0, 1)),
            "specular": _colour(np.minimum(reflectance * colour, 1.0) * weight),
            "base_texture": self._texture(surface, "baseColorTexture"),
            "metallic_texture": self._texture(surface, "metallicRoughnessTexture"),
            "specular_texture": self._texture(specular, "specularTexture"),
            "specular_colour_texture": self._texture(specular, "specularColorTexture"),
        }

    def _glossiness(self, source: dict[str, Any]) -> dict[str, Any] | None:
        """KHR_materials_pbrSpecularGlossiness: diffuse and specular colours are ours; roughness is 1 - glossiness."""
        gltf = self._gltf
        surface = gltf.extension(source, "KHR_materials_pbrSpecularGlossiness")
        if surface is None:
            return None
        diffuse = gltf.numbers(surface, "diffuseFactor", (1.0, 1.0, 1.0, 1.0))
        if "specularGlossinessTexture" in surface:
            self.left_out["glossiness in textures (its factor is used)"] += 1
        return {
            "base_colour": _colour(diffuse[:3]),
            "opacity": float(np.clip(diffuse[3], 0, 1)),
            "roughness": float(np.clip(1 - gltf.get(surface, "glossinessFactor", float, 1.0), 0, 1)),
            "specular": _colour(gltf.numbers(surface, "specularFactor", (1.0, 1.0, 1.0))),
            "base_texture": self._texture(surface, "diffuseTexture"),
            "specular_colour_texture": self._texture(surface, "specularGlossinessTexture"),
        }

    def _texture(self, holder: dict[str, Any], name: str) -> Texture | None:
        gltf = self._gltf
        if name not in holder:
            return None
        reference = gltf.get(holder, name, dict)
        texture = gltf.entry("textures", gltf.get(reference, "index", int))
        webp = gltf.extension(texture, "EXT_texture_webp")
        source = gltf.index(webp or texture, "source")
        if source is None:
            self.left_out["textures in formats that are not read (Basis Universal, AVIF)"] += 1
            return None
        pixels = self._image(source)
        if pixels is None:
            return None
        sampler = gltf.index(texture, "sampler")
        settings = {} if sampler is None else gltf.entry("samplers", sampler)
        wraps = [gltf.get(settings, name, int, 10497) for name in ("wrapS", "wrapT")]
        if any(wrap not in WRAPS for wrap in wraps):
            raise gltf.broken(f"samplers[{sampler}] has an unknown wrap mode")
        transform, uv_set = None, gltf.get(reference, "texCoord", int, 0)
        if (moved := gltf.extension(reference, "KHR_texture_transform")) is not None:
            transform, uv_set = self._transform(moved), gltf.get(moved, "texCoord", int, uv_set)
        return Texture(pixels, (WRAPS[wraps[0]], WRAPS[wraps[1]]), transform, uv_set)

    def _transform(self, moved: dict[str, Any]) -> Floats:
        """[2, 3] of KHR_texture_transform: translation times rotation times scale."""
        offset = self._gltf.numbers(moved, "offset", (0.0, 0.0))
        scale = self._gltf.numbers(moved, "scale", (1.0, 1.0))
        angle = self._gltf.get(moved, "rotation", float, 0.0)
        cos, sin = np.cos(angle), np.sin(angle)
        return np.column_stack([np.array([[cos, sin], [-sin, cos]]) * scale, offset])

    def _image(self, index: int) -> npt.NDArray[np.uint8] | None:
        """Pixels [H, W, 4]; raises InputError if all images together are larger than MAX_PIXELS."""
        gltf = self._gltf
        if index not in self._images:
            image = gltf.entry("images", index)
            if "uri" in image:
                content: bytes | memoryview = gltf.resource(gltf.get(image, "uri", str), MAX_IMAGE_BYTES)
            else:
                content = gltf.buffer_view(gltf.get(image, "bufferView", int))
            pixels = decode_image(bytes(content), f"{gltf.path}: images[{index}]")
            self._pixels += pixels.shape[0] * pixels.shape[1]
            if self._pixels > MAX_PIXELS:
                raise InputError(
                    f"{gltf.path}: its textures have more than {MAX_PIXELS / 1e6:,.0f} million pixels together; scale "
                    "them down."
                )
            self._images[index] = pixels
        return self._images[index]


def _colour(values: npt.NDArray[np.float64], high: float = 1.0) -> Colour:
    red, green, blue = (float(value) for value in np.clip(values, 0.0, high))
    return red, green, blue
