"""The one exception that is the user's, not ours, and words for those of the system."""

import os

from hydra.errors import CompactHydraException


class InputError(CompactHydraException):
    """The user's mistake, in one line for each; shown without a traceback, by Hydra too."""


def why(error: OSError) -> str:
    """What the system says of a file that could not be read or written, without what a library adds to it."""
    return os.strerror(error.errno) if error.errno else str(error)
