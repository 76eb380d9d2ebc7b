"""What limner raises when something outside it is wrong: one clear line, and an exit status.

A message names the file (or line, or key), says what was expected, and what to do::

    photo.jpg: the image ends after 1,024 bytes; copy the file again

It names arguments in backquotes, which the command line replaces by its options
(`limner.cli.options.in_options`)::

    scan.png: more than 50,000,000 pixels; make it smaller, or allow more with `max_pixels`
"""


class LimnerError(Exception):
    """The work failed for a reason outside limner, such as a full disk. Exit status 1."""

    exit_status = 1


class InputError(LimnerError, ValueError):
    """What the user gave cannot be used: a file, an option, a value. Exit status 2."""

    exit_status = 2
