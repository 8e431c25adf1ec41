"""Text of mesh files as bytes, whatever program, system and language it was written with."""

import codecs
import re

import numpy as np

from rfcli.scene.formats.contents import Floats

WIDE_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
START = 200  # bytes in which UTF-16 without a mark is recognised: every second one is 0
NOT_A_NUMBER = re.compile(rb"[+-]?(1\.#\w+|nan\S*)", re.IGNORECASE)  # as C libraries of Windows and others print it


def as_lines(content: bytes) -> bytes:
    """The content in an encoding that extends ASCII, without a byte order mark, with line feeds between lines.

    UTF-16 and UTF-32 become UTF-8. Any other encoding stays as it is: keywords and numbers are ASCII.
    """
    for mark, encoding in WIDE_MARKS.items():
        if content.startswith(mark):
            content = content.decode(encoding, errors="replace").encode()
            break
    else:
        start = content[:START]
        for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            if len(start) >= 4 and not any(start[first::2]) and all(start[1 - first :: 2]):
                content = content.decode(encoding, errors="replace").encode()
                break
    content = content.removeprefix(codecs.BOM_UTF8)
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in content else content


def as_name(text: bytes) -> str:
    """A name in a file: UTF-8 if it is valid, else Latin-1, which every byte is."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def as_numbers(words: list[bytes]) -> Floats:
    """[N] numbers of words; NaN where a program wrote that there is none. Raises ValueError for other words."""
    try:
        return np.array(words, dtype=np.float64)
    except ValueError:
        return np.array([b"nan" if NOT_A_NUMBER.fullmatch(word) else word for word in words], dtype=np.float64)


def first_wrong_number(words: list[bytes]) -> int | None:
    """Index of the first word that is no number, None if there is none."""
    for index, word in enumerate(words):
        try:
            float(word)
        except ValueError:
            if not NOT_A_NUMBER.fullmatch(word):
                return index
    return None
