"""The code that the program has marked (marks.py): all of it that the recorder itself needs."""

from __future__ import annotations

from types import CodeType
from typing import Dict, Tuple

codes: Dict[int, Tuple[CodeType, str]] = {}
"""By id() of the code, which is held on to: (code, kind)."""


def kind_of(code: CodeType) -> str:
    """What a code object is marked as; "" not at all."""
    known = codes.get(id(code))
    return known[1] if known is not None and known[0] is code else ""
