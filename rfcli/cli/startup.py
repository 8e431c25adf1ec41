"""Memory that the program has let go of stays at hand for what it asks for next.

glibc gives large blocks back to the system as soon as nobody uses them, and each page of those that the system gives
instead costs a fault at its first touch. A view's tensors, of 25 MB at 256 x 256 pixels, come and go by the dozen: that
was a sixth of its time on two cores, and a third of the first view's.

Python's garbage collector, kept away from what was imported: torch and trimesh bring some 230,000 objects to stay.

Each full collection walks through all of them. On two cores those during the imports took a tenth of a first picture's
time, and the one at the end of every command that uses torch a second.
"""

import ctypes
import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
LARGEST = 64 << 20  # bytes of a block that is kept; larger ones, of large scenes, go back, or peaks would grow
KEPT = 256 << 20  # bytes of free memory behind the last block in use


def keep_freed_memory() -> None:
    """For the rest of this process. Does nothing where malloc is not glibc's."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, KEPT)


IMPORTED = 100_000  # new objects before the next collection; Python's usual 700 is passed hundreds of times by imports


def collect_seldom() -> None:
    """For the rest of this process. Not for training, whose graphs may hold memory in cycles until then."""
    gc.set_threshold(IMPORTED)


def collect_no_more() -> None:
    """What is there now stays until the process ends, whose last collection then has nothing to walk through."""
    gc.freeze()
