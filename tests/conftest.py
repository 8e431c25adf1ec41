"""Settings of the process that runs the tests."""

import os
import signal

# A shell without job control starts background processes with Ctrl-C ignored, and their children inherit that.
# The tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests in several processes (`pytest -n`) share the cores; more threads than cores would slow each other down.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
