"""Limits in seconds hold on a usual machine; a slower one is given as much more time as it needs for a fixed task."""

import json
import time

USUAL = 0.1  # seconds of the task below on the machine that the limits are stated for


def in_time(seconds: float, limit: float) -> bool:
    """Whether what has just taken so many `seconds` would end before `limit` on a usual machine: one that is slower, or
    busy now, gets more time, and none gets less."""
    return seconds < limit or seconds < limit * _task() / USUAL


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
