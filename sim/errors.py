"""The one exception that is the user's, not ours."""

from hydra.errors import CompactHydraException


class InputError(CompactHydraException):
    """The user's mistake, in one line for each; shown without a traceback, by Hydra too."""
