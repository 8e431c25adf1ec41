"""The one exception that means: the user can mend this."""


class InputError(ValueError):
    """A mistake in what the user gave: a file, an option, a value.

    The message is one sentence that names the file or option and says what to do. The command line prints it
    to stderr and exits with 2; callers from Python catch it as the ValueError that it is.
    """
