"""What all tests presuppose of the process that they run in."""

import os
import signal

# A shell without job control starts what it puts in the background with Ctrl-C ignored, which children inherit.
# Tests of Ctrl-C need it to arrive.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests that run beside one another (`pytest -n`) share the cores: threads that wait for each other would waste them.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
