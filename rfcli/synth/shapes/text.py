"""Letters and digits, drawn as strokes so that no installed font is needed."""

import numpy as np
import trimesh

from rfcli.synth.shapes.drawing import extruded, stroke, union

# Strokes of each character: polylines separated by spaces, two digits per point, x 0..4 and y 0..6.
STROKES = {
    "A": "002640 1232",
    "B": "00063645443303 3342413000",
    "C": "4536160501103041",
    "D": "00062644422000",
    "E": "46060040 0333",
    "F": "460600 0333",
    "G": "45361605011030414323",
    "H": "0006 4046 0343",
    "I": "2026 1030 1636",
    "J": "4641301001",
    "K": "0006 460340",
    "L": "060040",
    "M": "0006234640",
    "N": "00064046",
    "O": "100105163645413010",
    "P": "00063645443303",
    "Q": "100105163645413010 2240",
    "R": "00063645443303 2340",
    "S": "453616050413334241301001",
    "T": "0646 2620",
    "U": "060110304146",
    "V": "062046",
    "W": "0610233046",
    "X": "0046 0640",
    "Y": "062346 2320",
    "Z": "06460040",
    "2": "05163645440040",
    "3": "05163645443313 334241301001",
    "4": "30360242",
    "5": "460603334241301001",
    "7": "064610",
    "8": "13040516364544331302011030414233",
    "+": "0343 2125",
}


def text(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """One to four characters in a row, upright, of random weight, width, slant and depth."""
    count = int(rng.integers(1, 2 + min(3, faces // 200)))
    thick, wide, slant = rng.uniform(0.7, 1.3), rng.uniform(0.8, 1.2), rng.uniform(-0.1, 0.3)
    strokes = []
    for place in range(count):
        letter = list(STROKES)[rng.integers(len(STROKES))]
        for line in STROKES[letter].split():
            x, y = np.array([(int(line[i]), int(line[i + 1])) for i in range(0, len(line), 2)], float).T
            strokes.append(stroke(np.stack([wide * x + slant * y + place * (4 * wide + 1.9), y], axis=1), thick))
    return extruded(union(strokes), rng.uniform(0.8, 2.5), faces)
