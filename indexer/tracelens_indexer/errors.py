"""The errors that a person sees: one clear line that says what happened, where, and what to do next."""

from __future__ import annotations


class TraceLensError(Exception):
    """Shown as one line, without a traceback. `exit_code` is what the command line exits with."""

    exit_code = 2


class NoIndex(TraceLensError):
    """There is no index for this workspace yet."""


class StoreError(TraceLensError):
    """The store cannot be used: corrupt, of another version, locked or not ours."""


class NotATrace(TraceLensError):
    """A file is not a trace that can be read; the message says what it is and how to convert it."""
