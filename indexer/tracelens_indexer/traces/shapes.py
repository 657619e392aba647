"""Taking fields out of decoded JSON that may be anything: the value when it is of the wanted shape, else a neutral one.

Readers use these so that a wrong type in a trace is an empty field, never an exception. Nothing here knows a format.
"""

from __future__ import annotations

import math
from typing import Any

MAX_NAME = 1_000
MAX_PATH = 4_096


def text(value: Any, limit: int = MAX_NAME) -> str:
    return value[:limit] if type(value) is str else ""


def path(value: Any) -> str:
    return text(value, MAX_PATH)


def mapping(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}


def items(value: Any) -> list[Any]:
    return value if type(value) is list else []


def line(value: Any) -> int:
    """A 1-based line; 0 when it is none. Some formats write it as text."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    return value if type(value) is int and 0 < value < 2**31 else 0


def number(value: Any) -> float | None:
    """A finite number of sane size, also when it is written as text."""
    if type(value) is str and len(value) < 40:
        try:
            value = float(value)
        except ValueError:
            return None
    # The order matters: isfinite of a very big integer would overflow.
    if type(value) in (int, float) and abs(value) < 1e20 and math.isfinite(value):
        return float(value)
    return None


def nanoseconds(value: Any, per: float) -> int:
    """A time or duration in a unit of `per` nanoseconds, in nanoseconds; -1 when it is none or negative."""
    if per == 1 and type(value) is str and value.isascii() and value.isdigit() and len(value) < 20:
        # A float would lose the last digits of nanoseconds since the epoch.
        value = int(value)
    if per == 1 and type(value) is int and 0 <= value < 2**63:
        return value
    found = number(value)
    if found is None or found < 0:
        return -1
    scaled = found * per
    return int(scaled) if scaled < 2**63 else -1
