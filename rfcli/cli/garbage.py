"""Python's garbage collector, kept away from what was imported: torch and trimesh bring some 230,000 objects to stay.

Each full collection walks through all of them. On two cores those during the imports took a tenth of a first picture's
time, and the one at the end of every command that uses torch a second.
"""

import gc

IMPORTED = 100_000  # new objects before the next collection; Python's usual 700 is passed hundreds of times by imports


def collect_seldom() -> None:
    """For the rest of this process. Not for training, whose graphs may hold memory in cycles until then."""
    gc.set_threshold(IMPORTED)


def collect_no_more() -> None:
    """What is there now stays until the process ends, whose last collection then has nothing to walk through."""
    gc.freeze()
