"""The version of the encoding, how much of a call it may hold, and why there may be none."""

from __future__ import annotations

from typing import Any, Dict

VERSION = 1
MAX_NODES = 5000
"""Values in one call's arguments."""
MAX_BYTES = 64 * 1024
"""Characters of text and bytes in one call's arguments."""
MAX_DEPTH = 40
EXACT_INT = 2**53
"""Integers beyond this are written as text: not every JSON reader keeps them."""

Encoded = Dict[str, Any]


class NotReplayable(Exception):
    """Why a value cannot be encoded."""


class Unknown(NotReplayable):
    """A value of which nothing but its class is known: another value may stand in for it, as long as nobody looks."""


class NotRebuildable(Exception):
    """Why an encoding cannot be rebuilt: it is damaged, or names code that may not be imported."""
