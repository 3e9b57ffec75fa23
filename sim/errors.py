"""The exceptions that are not ours: the user's mistakes, and runs that are stopped."""

from hydra.errors import CompactHydraException


class InputError(CompactHydraException):
    """The user's mistake, in one line for each; shown without a traceback, by Hydra too."""


class Unfinished(Exception):
    """A part of a run was stopped before it was finished; what was done is kept."""
