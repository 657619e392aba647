"""How a program is started so that it is recorded: the variables to add to its environment."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

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
    """Seconds between two samples of the stacks; stretched where sampling would cost over 1.5 %. 0: no samples."""
    values: bool = True
    """Whether arguments, returned values and local variables are summarised."""
    replay: bool = True
    """Whether arguments are also kept in the replayable encoding, where they can be."""
    include: Tuple[str, ...] = ()
    """Directories beside the root whose files are in scope too."""
    rate: float = 1.0
    """Share of the requests that the middlewares have recorded."""
    keep: str = "all"
    """"failed": of tests, only those that fail are kept."""
    redact_names: Tuple[str, ...] = ()
    """Names, beside those that are known, under which secrets go; `*` stands for anything."""
    redact_patterns: Tuple[str, ...] = ()
    """Regular expressions of what is a secret, beside those that are known."""
    rotate_mb: float = 256.0
    """Megabytes after which a process goes on in another file. 0: never."""
    rotate_seconds: float = 0.0
    """Seconds after which it does. 0: never."""
    keep_files: int = 8
    """Files of one process that are kept when it goes on in another; the oldest go first."""

    def to_json(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str, default: Optional[Options] = None) -> Options:
        """The options in a JSON object; what is unknown or makes no sense in it is left as it is in `default`."""
        try:
            given = json.loads(text) if text else {}
        except ValueError:
            given = {}
        return cls.from_mapping(given if isinstance(given, dict) else {}, default)

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], default: Optional[Options] = None) -> Options:
        chosen: Dict[str, Any] = {}
        for name in cls._fields:
            value = given.get(name)
            kind = type(cls._field_defaults[name])
            if kind is tuple:
                if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
                    chosen[name] = tuple(value)
            elif kind is bool:
                if isinstance(value, bool):
                    chosen[name] = value
            elif kind is str:
                if name == "keep" and value in ("all", "failed"):
                    chosen[name] = value
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                low, high = _LIMITS[name]
                if low <= value <= high and (kind is float or isinstance(value, int)):
                    chosen[name] = kind(value)
        return (default or cls())._replace(**chosen)


_LIMITS = {
    "budget": (0, 1),
    "limit": (1, 1 << 62),
    "sample_interval": (0, 60),
    "rate": (0, 1),
    "rotate_mb": (0, 1e6),
    "rotate_seconds": (0, 1e9),
    "keep_files": (2, 10_000),
}


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
