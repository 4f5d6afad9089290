"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user can mend: a flag, a file, a missing device.

    The message names what was passed, what is accepted and how to fix it, in one
    or two lines. The command line prints it without a traceback and exits with
    status 2.
    """
