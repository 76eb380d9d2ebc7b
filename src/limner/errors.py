"""What limner raises when something outside it is wrong: one clear line, and an exit status.

A message names the file (or line, or key), says what was expected, and what to do::

    photo.jpg: the image ends after 1,024 bytes; copy the file again
"""


class LimnerError(Exception):
    """The work failed for a reason outside limner, such as a full disk. Exit status 1."""

    exit_status = 1


class InputError(LimnerError, ValueError):
    """What the user gave cannot be used: a file, an option, a value. Exit status 2."""

    exit_status = 2
