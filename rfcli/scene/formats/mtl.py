"""Materials of OBJ files: MTL, read from the folder of the OBJ file only."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.formats.contents import Colour, Material, Texture, Wrap
from rfcli.scene.formats.images import read_image
from rfcli.scene.formats.text import as_lines, as_name

MAX_LIBRARY_BYTES = 64_000_000
MAX_LISTED = 5  # materials in one note
BLENDER_SPECULAR = 0.08  # reflectance at Ks 1 in files of Blender, which writes the specular level of its shader
BLENDER_EXPONENT = 1000.0  # Ns at roughness 0 in files of Blender: Ns = 1000 (1 - roughness)^2
OPTIONS = {"-s": 3, "-o": 3, "-t": 3, "-mm": 2}  # of map_Kd, with up to this many numbers; all others have one word
DIFFUSE_MAPS, EMISSION_MAPS = ("map_kd",), ("map_ke", "map_emissive")
UNUSED_MAPS = ("map_ks", "map_ns", "map_d", "map_pr", "map_pm", "map_tr")


@dataclass
class _Entry:
    """Statements of one material by keyword in small letters, and whether Blender wrote them."""

    statements: dict[str, str]
    of_blender: bool


def read_libraries(path: Path, libraries: list[bytes], names: list[bytes]) -> tuple[dict[bytes, Material], list[str]]:
    """Materials of an OBJ file.

    Kd is the diffuse colour, Ks the specular one, at most what Kd leaves; Ke is emission; Pr is roughness, else Ns
    gives it: alpha^2 = 2 / (Ns + 2) (Walter et al., EGSR 2007). Pm is metallic. Kd and Ke are stored as sRGB by some
    programs and linear by others; they are taken as linear, as Blender writes them, and the texture of map_Kd as sRGB.

    Args:
        path: The OBJ file.
        libraries: Arguments of its mtllib lines.
        names: Arguments of its usemtl lines.

    Returns:
        The materials that were found by name, and a sentence about each thing that was not.
    """
    entries: dict[str, _Entry] = {}
    notes: list[str] = []
    for library in libraries:
        for file in _library_files(path, as_name(library)):
            problem = _file_problem(path.parent, file)
            if problem:
                notes.append(f"{file.name}: {problem}; its materials are not used.")
            else:
                entries.update(_entries(as_lines(file.read_bytes())))
    found: dict[bytes, Material] = {}
    images: dict[Path, Texture] = {}
    for name in names:
        text = as_name(name)
        entry = entries.get(_name(text))
        if entry:
            found[name] = _material(path.parent, text, entry, images, notes)
    absent = [as_name(name) for name in names if name not in found]
    if absent and entries:
        listed = ", ".join(absent[:MAX_LISTED]) + (", ..." if len(absent) > MAX_LISTED else "")
        notes.append(f"In no MTL file, so that their faces are beige: {listed}.")
    return found, list(dict.fromkeys(notes))


def _library_files(path: Path, argument: str) -> list[Path]:
    """The files of an mtllib line: the whole argument, which may contain blanks, or else each word."""
    whole = path.parent / argument.replace("\\", "/").split(" #")[0].strip()
    if whole.is_file() or " " not in argument:
        return [whole]
    files = [path.parent / word.replace("\\", "/") for word in argument.split()]
    return files if any(file.is_file() for file in files) else [whole]


def _file_problem(folder: Path, file: Path) -> str | None:
    if not file.resolve().is_relative_to(folder.resolve()):
        return "the file is outside the folder of the mesh"
    if not file.is_file():
        return "there is no such file"
    if file.stat().st_size > MAX_LIBRARY_BYTES:
        return "the file is too large"
    return None


def _entries(content: bytes) -> dict[str, _Entry]:
    lines = content.split(b"\n")
    of_blender = lines[0].startswith(b"#") and b"Blender" in lines[0]
    entries: dict[str, _Entry] = {}
    current = _Entry({}, of_blender)
    for line in lines:
        keyword, _, argument = as_name(line).replace("\t", " ").strip().partition(" ")
        if keyword.lower() == "newmtl":
            current = entries.setdefault(_name(argument), _Entry({}, of_blender))
        elif keyword and not keyword.startswith("#"):
            current.statements[keyword.lower()] = argument.split(" #")[0].strip()
    return entries


def _name(argument: str) -> str:
    """The name of a material, which may contain blanks, without a comment after it."""
    return argument.split(" #")[0].strip()


def _material(folder: Path, name: str, entry: _Entry, images: dict[Path, Texture], notes: list[str]) -> Material:
    said = entry.statements
    diffuse = _colour(said.get("kd"), (0.8, 0.8, 0.8))
    lit = said.get("illum", "2") not in ("0", "1")  # 0: colour only, 1: diffuse only
    specular = _colour(said.get("ks"), (0.04, 0.04, 0.04)) if lit else (0.0, 0.0, 0.0)
    if entry.of_blender and "ks" in said:
        specular = _scaled(specular, BLENDER_SPECULAR)
    base = _texture(folder, name, said, DIFFUSE_MAPS, images, notes)
    emission_map = _texture(folder, name, said, EMISSION_MAPS, images, notes)
    if base is not None and not any(diffuse):
        diffuse = (1.0, 1.0, 1.0)  # a black factor, which some programs write beside a texture, would hide it
    metallic = min(max(_number(said.get("pm"), 0.0), 0.0), 1.0)
    if metallic == 0:
        r, g, b = (min(s, max(1 - d, 0.0)) for s, d in zip(specular, diffuse, strict=True))
        specular = (r, g, b)
    opacity = _number(said.get("d"), 1 - _number(said.get("tr"), 0.0))
    emission = _colour(said.get("ke"), (1.0, 1.0, 1.0) if emission_map else (0.0, 0.0, 0.0), limit=None)
    unused = [key for key in UNUSED_MAPS if key in said]
    if unused:
        notes.append(f"Material {name}: {', '.join(unused)} is not used.")
    return Material(
        name=name,
        base_colour=diffuse,
        opacity=min(max(opacity, 0.0), 1.0),
        metallic=metallic,
        roughness=_roughness(said, entry.of_blender),
        specular=specular,
        emission=emission,
        base_texture=base,
        emission_texture=emission_map,
        alpha_mode="blend" if opacity < 1 else "opaque",
    )


def _roughness(said: dict[str, str], of_blender: bool) -> float:
    if "pr" in said:
        return min(max(_number(said["pr"], 1.0), 0.0), 1.0)
    exponent = max(_number(said.get("ns"), 0.0), 0.0)
    if of_blender:
        return float(1 - min(exponent / BLENDER_EXPONENT, 1.0) ** 0.5)
    return float((2 / (exponent + 2)) ** 0.25)


def _texture(
    folder: Path, name: str, said: dict[str, str], keys: tuple[str, ...], images: dict[Path, Texture], notes: list[str]
) -> Texture | None:
    """The texture of the first of the keywords that is there; None with a note if it cannot be read."""
    argument = next((said[key] for key in keys if key in said), "")
    if not argument:
        return None
    file, scale, offset, clamp = _map_argument(argument)
    path = folder / file.replace("\\", "/")
    if not path.is_file():
        path = folder / path.name  # with the folder of the machine on which it was written
    try:
        if path not in images:
            images[path] = Texture(read_image(path, folder))
    except InputError as error:
        notes.append(f"Material {name}: {error}")
        return None
    wrap: Wrap = "clamp" if clamp else "repeat"
    texture = replace(images[path], wrap=(wrap, wrap))
    if scale == (1.0, 1.0) and offset == (0.0, 0.0):
        return texture
    # MTL maps v, upwards, to scale v + offset; `Texture` has v' = 1 - v: scale v' + 1 - scale - offset.
    (su, sv), (ou, ov) = scale, offset
    return replace(texture, transform=np.array([(su, 0.0, ou), (0.0, sv, 1 - sv - ov)]))


def _map_argument(argument: str) -> tuple[str, tuple[float, float], tuple[float, float], bool]:
    """File name, scale, offset and whether it is clamped, of the argument of map_Kd."""
    words, values, clamp = argument.split(" "), {"-s": [1.0, 1.0], "-o": [0.0, 0.0]}, False
    while len(words) > 1 and words[0].startswith("-"):
        option, words = words[0].lower(), words[1:]
        if option not in OPTIONS:
            clamp |= option == "-clamp" and words[0].lower() == "on"
            words = words[1:]
            continue
        numbers: list[float] = []
        while len(numbers) < OPTIONS[option] and len(words) > 1 and _is_number(words[0]):
            numbers.append(float(words.pop(0)))
        if option in values:
            values[option][: len(numbers)] = numbers[:2]
    (su, sv), (ou, ov) = values["-s"][:2], values["-o"][:2]
    return " ".join(words).strip(), (su, sv), (ou, ov), clamp


def _colour(argument: str | None, default: Colour, limit: float | None = 1.0) -> Colour:
    """Three numbers, or one for grey; at least 0 and at most `limit`."""
    if not argument:
        return default
    numbers = [max(float(word), 0.0) for word in argument.split() if _is_number(word)]
    if len(numbers) not in (1, 3) or any(number != number for number in numbers):
        return default
    r, g, b = (min(number, limit) if limit else min(number, 1e9) for number in (numbers * 3)[:3])
    return r, g, b


def _scaled(colour: Colour, factor: float) -> Colour:
    r, g, b = (value * factor for value in colour)
    return r, g, b


def _number(argument: str | None, default: float) -> float:
    word = argument.split()[-1] if argument else ""
    return float(word) if _is_number(word) and float(word) == float(word) else default


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
