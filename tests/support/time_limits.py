"""Time limits for tests, scaled on slower machines by the time of a fixed task."""

import json
import time

REFERENCE_SECONDS = 0.1  # of the fixed task on the machine for which the limits are stated


def in_time(seconds: float, limit: float) -> bool:
    """Whether `seconds` of measured work are below `limit` on the reference machine.

    Slower or busy machines get more time in proportion to the fixed task; faster ones do not get less.
    """
    return seconds < limit or seconds < limit * _fixed_task_seconds() / REFERENCE_SECONDS


def _fixed_task_seconds() -> float:
    """Processor seconds to write and parse a JSON document of 20,000 entries, in pure Python."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        text = json.dumps(
            [{"index": index, "file": f"{index:06d}.h5", "values": [index / 2] * 8} for index in range(20_000)]
        )
        json.loads(text)
        seconds.append(time.process_time() - start)
    return min(seconds)
