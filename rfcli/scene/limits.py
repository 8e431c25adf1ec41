"""How large a scene may be. What is beyond is a mistake, or bait, and refused before memory is taken for it."""

LARGEST_SCENE = 1 << 22  # triangles of a mesh or a scene: a thousand times the largest published ones
LARGEST_TEXT = 64_000_000  # bytes of a scene file
LARGEST_MESH_FILE = 2_000_000_000  # bytes
FARTHEST = 1e6  # of a coordinate from 0: float32 has a grid of 0.06 there, and squares stay far from its end
BRIGHTEST = 1e9  # radiance
MOST_PARTS = 10_000  # objects, and cameras, of a scene file
