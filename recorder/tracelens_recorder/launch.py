"""How a program is started so that it is recorded: the variables to add to its environment."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, NamedTuple, Tuple

OUT = "TRACELENS_OUT"
ROOT = "TRACELENS_ROOT"
OPTIONS = "TRACELENS_OPTIONS"

BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap")
"""The folder that is put on PYTHONPATH. It holds nothing but sitecustomize.py."""


class Options(NamedTuple):
    """What to record, and how much of it.

    No dataclass: that module imports a dozen others, which the program would find in place of its own `token.py`.
    """

    exact: bool = False
    """Count every call: no function is ever parked."""
    budget: float = 0.03
    """Share of the program's CPU time that recording may take, beyond a grace of 50 ms (Python 3.12 and newer)."""
    limit: int = 20_000
    """Below Python 3.12, calls after which a function is parked: its counts are "at least" from then on."""
    sample_interval: float = 0.005
    """Seconds between two samples of the stacks; stretched where sampling would cost over 1 %. 0: no samples."""
    values: bool = True
    """Whether arguments, returned values and local variables are summarised."""
    replay: bool = True
    """Whether arguments are also kept in the replayable encoding, where they can be."""
    include: Tuple[str, ...] = ()
    """Directories beside the root whose files are in scope too."""

    def to_json(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> Options:
        """The options in a JSON object; what is unknown or of the wrong type in it is left at its default."""
        try:
            given = json.loads(text) if text else {}
        except ValueError:
            given = {}
        chosen: Dict[str, Any] = {}
        for name in cls._fields:
            value = given.get(name) if isinstance(given, dict) else None
            if name == "include":
                if isinstance(value, list) and all(isinstance(one, str) for one in value):
                    chosen[name] = tuple(value)
            elif name == "sample_interval":
                if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 60:
                    chosen[name] = float(value)
            elif name == "budget":
                if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
                    chosen[name] = float(value)
            elif name == "limit":
                if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                    chosen[name] = value
            elif isinstance(value, bool):
                chosen[name] = value
        return cls(**chosen)


def environment(out_dir: str, root: str, options: Options) -> Dict[str, str]:
    """What to add to the environment of a command so that every Python process under it records itself.

    Each process writes a file of its own (`*.tlrec`) into `out_dir`, if code under `root` ran in it. A PYTHONPATH
    that is already there is kept, behind ours.
    """
    python_path = [BOOTSTRAP]
    python_path += [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != BOOTSTRAP]
    return {
        "PYTHONPATH": os.pathsep.join(python_path),
        OUT: os.path.abspath(out_dir),
        ROOT: os.path.abspath(root),
        OPTIONS: options.to_json(),
    }
