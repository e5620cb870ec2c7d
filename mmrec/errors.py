"""The one exception a user's mistake raises."""


class UserError(Exception):
    """Bad input, a missing file or a wrong option.

    The message is one line that names the file, line, key or option and says what to do. The command line
    prints it without a traceback and exits with status 2.
    """
