"""Memory while much is made that is kept: looking for garbage in it again and again takes half of the time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_kept = False
"""Whether something was kept for good. Asking the interpreter for it goes through all that was."""


def keep() -> None:
    """Have all that is there now left out of every search for garbage, as long as the process lives."""
    global _kept
    _kept = True
    gc.freeze()


@contextmanager
def without_collection() -> Iterator[None]:
    """Have no cyclic garbage collected inside; nests. What is not in a cycle is freed as always.

    What was made inside counts as old afterwards. Otherwise the first collection behind it would go through all of it,
    which costs a tenth of the time again.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if not _kept:
                # Both move lists, whatever their length. What was kept for good would come back too.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
