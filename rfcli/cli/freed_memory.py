"""Memory that the program has let go of stays at hand for what it asks for next.

glibc gives large blocks back to the system as soon as nobody uses them, and each page of those that the system gives
instead costs a fault at its first touch. A view's tensors, of 25 MB at 256 x 256 pixels, come and go by the dozen: that
was a sixth of its time on two cores, and a third of the first view's.
"""

import ctypes
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
