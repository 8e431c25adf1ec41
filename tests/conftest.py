"""What all tests presuppose of the process that they run in."""

import signal

# A shell without job control starts what it puts in the background with Ctrl-C ignored, which children inherit.
# Tests of Ctrl-C need it to arrive.
signal.signal(signal.SIGINT, signal.default_int_handler)
