"""Memory settings of the process that save seconds: glibc's malloc and Python's garbage collector.

malloc: glibc returns large free blocks to the system, and every page of a new block costs a page fault at its first
access. Rendering a view of 256 x 256 pixels allocates and frees dozens of tensors of 25 MB; the page faults were a
sixth of its time on two cores, a third for the first view. `keep_freed_memory` makes malloc keep such blocks.

Garbage collector: torch and trimesh create some 230,000 objects that live until the end, and every full collection
visits all of them. On two cores, collections during the imports took a tenth of the time to the first picture, and the
one at exit a second. `collect_rarely` and `freeze_objects` avoid them.
"""

import ctypes
import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
MAX_KEPT_BLOCK = 64 << 20  # bytes; larger blocks, of large scenes, are returned to limit the peak
MAX_FREE_TAIL = 256 << 20  # bytes of free memory that are kept at the end of the heap
COLLECTION_INTERVAL = 100_000  # new objects between collections; Python's 700 is reached hundreds of times by imports


def keep_freed_memory() -> None:
    """Let malloc keep freed blocks, for the rest of this process. No effect without glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MAX_KEPT_BLOCK)
        mallopt(M_TRIM_THRESHOLD, MAX_FREE_TAIL)


def collect_rarely() -> None:
    """Collect garbage rarely, for the rest of this process. Not for training: its graphs may hold memory in cycles."""
    gc.set_threshold(COLLECTION_INTERVAL)


def freeze_objects() -> None:
    """Exempt all present objects from garbage collection, so that the collection at exit has nothing to visit."""
    gc.freeze()
