"""Limits in seconds hold on a usual machine; a slower one is given as much more time as it needs for a fixed task."""

import json
import time

USUAL = 0.1  # seconds of the task below on the machine that the limits are stated for


def within(seconds: float) -> float:
    """What `seconds` on a usual machine may take on this one: never less, more on a slower one, or on one that is busy
    now. To be asked right after what is measured."""
    return seconds * max(1.0, _task() / USUAL)


def _task() -> float:
    """Processor seconds to write and read a document of 20,000 entries: Python's own work, as a command's start is."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        text = json.dumps(
            [{"index": index, "file": f"{index:06d}.h5", "values": [index / 2] * 8} for index in range(20_000)]
        )
        json.loads(text)
        seconds.append(time.process_time() - start)
    return min(seconds)
