"""What a repair has to satisfy: tests that pytest runs, statements that must not raise, or recorded calls."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from tracelens.replay.rerun import Outcome, Place, RecordedCall
from tracelens_indexer.errors import TraceLensError


@dataclass(frozen=True, slots=True)
class CollectedTests:
    """Tests that pytest collects with these arguments, in the workspace."""

    arguments: tuple[str, ...] = ()

    @classmethod
    def parse(cls, command: str) -> CollectedTests:
        """From what a person would type: "pytest -k base", "python -m pytest tests/test_base.py", "tests".

        Raises TraceLensError when it is no pytest command.
        """
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise TraceLensError(f"--test {command!r}: {error}") from None
        if len(words) >= 3 and PurePosixPath(words[0]).name.startswith("python") and words[1:3] == ["-m", "pytest"]:
            words = words[3:]
        elif words and PurePosixPath(words[0]).name in ("pytest", "py.test"):
            words = words[1:]
        elif words and (words[0].startswith("-") or "/" in words[0] or words[0].partition("::")[0].endswith(".py")):
            pass
        elif words:
            raise TraceLensError(f"--test {command!r}: only pytest is understood, as in --test 'pytest -k base'")
        return cls(tuple(words))


@dataclass(frozen=True, slots=True)
class Statements:
    """Statements that see the names of a module; each is a check of its own."""

    module: str
    path: str
    """Relative to the workspace, with /."""
    checks: tuple[tuple[str, str], ...]
    """(name, text)."""
    setup: str = ""
    """Run once before them."""


@dataclass(frozen=True)
class MadeAgain:
    """Recorded calls of one function: those that failed have to return, the others to do what they did."""

    place: Place
    calls: tuple[RecordedCall, ...]
    outcomes: Mapping[str, Outcome]
    """What each gives with the code as it is, by id."""
    types: frozenset[str]
    """That the failing calls may return; empty for any."""
    unwrap: bool = False


Oracle = CollectedTests | Statements | MadeAgain
