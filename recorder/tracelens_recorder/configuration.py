"""What to record, from three places, each of which gives way to the one before: arguments, environment,
`[tool.tracelens.record]` and `[tool.tracelens.redact]` in pyproject.toml."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional, Tuple

from tracelens_recorder.launch import OPTIONS, Options
from tracelens_recorder.pyproject_file import tables

SWITCH = "TRACELENS"
"""The variable that switches the installed hook on (1), and everything off (0)."""

_VARIABLES = {
    "TRACELENS_BUDGET": "budget",
    "TRACELENS_EXACT": "exact",
    "TRACELENS_VALUES": "values",
    "TRACELENS_REPLAY": "replay",
    "TRACELENS_RATE": "rate",
    "TRACELENS_INCLUDE": "include",
    "TRACELENS_ROTATE_MB": "rotate_mb",
    "TRACELENS_ROTATE_SECONDS": "rotate_seconds",
    "TRACELENS_KEEP_FILES": "keep_files",
}


def options(
    root: str,
    arguments: Optional[Mapping[str, Any]] = None,
    environ: Optional[Mapping[str, str]] = None,
) -> Options:
    """The options for a workspace. `arguments`: fields of Options; None is not given. What makes no sense in the
    environment or in the file is left at its default; what makes none in the arguments raises ValueError."""
    environ = os.environ if environ is None else environ
    found = tables(root)
    chosen = Options.from_mapping(_readable({**found.get("record", {}), **_redact(found.get("redact", {}))}))
    chosen = Options.from_json(environ.get(OPTIONS, ""), chosen)
    said = {field: environ[name] for name, field in _VARIABLES.items() if environ.get(name)}
    chosen = Options.from_mapping(_readable(said), chosen)
    for field, value in (arguments or {}).items():
        if value is None:
            continue
        if field not in Options._fields:
            raise ValueError(f"{field} is no option; there are: {', '.join(Options._fields)}")
        given = _readable({field: value})
        changed = Options.from_mapping(given, chosen)
        if given and getattr(changed, field) != given[field]:
            raise ValueError(f"{field} cannot be {value!r}")
        chosen = changed
    return chosen


def switched_off(environ: Optional[Mapping[str, str]] = None) -> bool:
    """Whether the environment says that nothing is to be recorded, whatever the program asks for: TRACELENS=0."""
    return (os.environ if environ is None else environ).get(SWITCH, "").strip().lower() in ("0", "off", "false", "no")


def switched_on(environ: Optional[Mapping[str, str]] = None) -> bool:
    said = (os.environ if environ is None else environ).get(SWITCH, "").strip().lower()
    return said in ("1", "on", "true", "yes")


def share(text: str) -> float:
    """ "3%", "3 %" or "0.03" as 0.03; -1.0 for what is no share."""
    number = text.strip()
    percent = number.endswith("%")
    try:
        found = float(number[:-1] if percent else number)
    except ValueError:
        return -1.0
    return found / 100 if percent else found


def _redact(table: Mapping[str, Any]) -> Dict[str, Any]:
    return {"redact_" + name: table[name] for name in ("names", "patterns") if name in table}


def _readable(values: Mapping[str, Any]) -> Dict[str, Any]:
    """Values of the environment and of a file as the options have them."""
    read: Dict[str, Any] = {}
    for field, value in values.items():
        default = Options._field_defaults.get(field)
        if isinstance(value, str):
            if isinstance(default, bool):
                value = value.strip().lower() in ("1", "on", "true", "yes")
            elif isinstance(default, float):
                value = share(value)
            elif isinstance(default, int):
                value = int(value) if value.strip().isdigit() else -1
            elif isinstance(default, tuple):
                value = tuple(one for one in value.split(os.pathsep) if one)
        elif isinstance(value, list):
            value = tuple(value)
        elif isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        read[field] = value
    return read


def described(environ: Optional[Mapping[str, str]] = None) -> Tuple[str, str]:
    """(environment, service): what the run is called by the one who runs it, in our words or in OpenTelemetry's."""
    environ = os.environ if environ is None else environ
    service = environ.get("TRACELENS_SERVICE") or environ.get("OTEL_SERVICE_NAME", "")
    return environ.get("TRACELENS_ENVIRONMENT", ""), service
