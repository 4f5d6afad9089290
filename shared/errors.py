"""The one exception that a user is meant to read, and how it names a flag."""


class UserError(Exception):
    """Something the user can mend: a flag, a file, a missing device.

    The message names what was passed, what is accepted and how to fix it, in one
    or two lines. The command line prints it without a traceback and exits with
    status 2.
    """


def spell_flag(name: str) -> str:
    """Return a field's name as its flag: `batch_size` -> `--batch-size`."""
    return "--" + name.replace("_", "-")
