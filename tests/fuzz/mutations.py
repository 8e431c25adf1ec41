"""Random changes of valid files."""

import json
import struct
from typing import Any

import numpy as np

EXTREME_INTEGERS = (0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
TEXT_SNIPPETS = (
    b"null",
    b"-1",
    b"1e999",
    b"NaN",
    b"[]",
    b"{}",
    b'""',
    b"99999999999999999999",
    b"true",
    b"\xff",
    b"../",
    b"\n",
)
JSON_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1.5, -0.0, 1e-300, 1e300, float("nan"), float("inf")),
    *("", "a\0b", "../x", "/dev/zero", "\ud800", [], {}, [[]], {"": 0}, [0] * 100),
)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with bytes changed, removed or repeated, or with extreme numbers; half of JSON files stay JSON."""
    if content[:1] == b"{" and rng.random() < 0.5:
        return b"\n".join(mutated_json(line, rng) for line in content.split(b"\n"))
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        if not data:
            break
        at = int(rng.integers(len(data)))
        how = int(rng.integers(6))
        if how == 0:
            data[at] = int(rng.integers(256))
        elif how == 1:
            del data[at : at + int(rng.integers(1, 64))]
        elif how == 2:
            data[at:at] = data[at : at + int(rng.integers(1, 64))]
        elif how == 3:
            data[at : at + 8] = struct.pack("<Q", EXTREME_INTEGERS[int(rng.integers(len(EXTREME_INTEGERS)))])
        elif how == 4:
            data[at : at + 4] = struct.pack("<f", float(rng.choice([np.nan, np.inf, -1e38, 1e-45])))
        else:
            data[at:at] = TEXT_SNIPPETS[int(rng.integers(len(TEXT_SNIPPETS)))]
    return bytes(data)


def mutated_json(text: bytes, rng: np.random.Generator) -> bytes:
    """The document with one of its values replaced, removed or renamed."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    places = list(_places(document))
    if not places:
        return text
    inside, key = places[int(rng.integers(len(places)))]
    how = int(rng.integers(4))
    if how == 0:
        del inside[key]
    elif how == 1 and isinstance(inside, dict):
        inside[str(key) + "x"] = inside.pop(key)
    elif how == 2:
        other, there = places[int(rng.integers(len(places)))]
        inside[key] = json.loads(json.dumps(other[there]))
    else:
        inside[key] = JSON_VALUES[int(rng.integers(len(JSON_VALUES)))]
    return json.dumps(document).encode()


def _places(document: Any) -> Any:
    """Every list and dictionary in the document, with each of its indices or keys."""
    for key in document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ():
        yield document, key
        yield from _places(document[key])
