"""Values that a trace holds only as text: the `repr` that some Python wrote, turned into a summary, conservatively.

Text is data: it is never evaluated. Only what a literal certainly is gets a type; all else keeps its text and the
type "" (unknown).
"""

from __future__ import annotations

import ast
import math
import re
from functools import lru_cache
from typing import Any

from tracelens_indexer.traces.records import Observed
from tracelens_recorder.redact import REDACTED, is_secret_name

MAX_TEXT = 600
"""Characters of a value's text that are handed on: more than is stored, so that a secret is seen before it is cut."""
_MAX_LITERAL = 2_000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_INTEGER = re.compile(r"-?[0-9]{1,300}")
_FLOAT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,4})?|-?inf|nan")
_OBJECT = re.compile(r"<([A-Za-z_][\w.]*(?:\.<locals>[\w.]*)*) object(?: at 0x[0-9a-fA-F]+)?>")
_NAMED = re.compile(
    r"<(function|built-in function|bound method|built-in method|class|module|generator object|coroutine object) "
)
_STRING = re.compile(r"(b?)('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_CONTAINERS = {"[": "list", "(": "tuple", "{": "dict"}
_KINDS = {
    "built-in function": "builtin_function_or_method",
    "built-in method": "builtin_function_or_method",
    "bound method": "method",
    "class": "type",
    "generator object": "generator",
    "coroutine object": "coroutine",
}


def observed(text: str) -> Observed:
    """The summary of a value from its repr. Addresses are taken out, so that equal objects have equal texts."""
    if len(text) > _MAX_LITERAL:
        return _summary(text[:_MAX_LITERAL], cut=True)
    return _remembered(text)


@lru_cache(maxsize=16_384)
def _remembered(text: str) -> Observed:
    return _summary(text, cut=False)


def _summary(text: str, *, cut: bool) -> Observed:
    if not cut:
        if text == "None":
            return Observed("NoneType", text)
        if text in ("True", "False"):
            return Observed("bool", text, number=float(text == "True"))
        if _INTEGER.fullmatch(text):
            return Observed("int", _short(text), number=float(text))
        if _FLOAT.fullmatch(text):
            number = float(text)
            return Observed("float", text, number=number if math.isfinite(number) else None)
        if text[:1] in ("'", '"', "b") and (match := _STRING.fullmatch(text)):
            body = match[2][1:-1]
            size = len(_ESCAPE.sub("x", body)) if "\\" in body else len(body)
            return Observed("bytes" if match[1] else "str", _short(text), size=size)
        if text[:1] in _CONTAINERS:
            return _container(text)
    if match := _OBJECT.match(text):
        return Observed(match[1], _short(_ADDRESS.sub("", text)))
    if match := _NAMED.match(text):
        return Observed(_KINDS.get(match[1], match[1]), _short(_ADDRESS.sub("", text)))
    return Observed("", _short(_ADDRESS.sub("", text)))


def _container(text: str) -> Observed:
    """A list, tuple, dict or set whose items are all literals; any other bracketed text stays of unknown type."""
    short = _short(_ADDRESS.sub("", text))
    if "\\" not in text and "\n" not in text:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return Observed("", short)
        if isinstance(value, (list, tuple, dict, set)):
            return Observed(type(value).__name__, short, size=len(value))
    return Observed("", short)


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def of_json(value: Any) -> Observed:
    """The summary of a value that a trace holds as JSON. Text such as "<function cb at 0x7f…>" is what a recorder
    wrote for an object it could not hold. Values below a name that says secret are left out."""
    if value is None:
        return Observed("NoneType", "None")
    if type(value) is bool:
        return Observed("bool", repr(value), number=float(value))
    if type(value) is str:
        if value.startswith("<") and value.endswith(">"):
            return observed(value)
        return Observed("str", _short(repr(value[:_MAX_LITERAL])), size=len(value))
    if type(value) in (int, float):
        if abs(value) < 1e300 and math.isfinite(value):
            return Observed(type(value).__name__, repr(value)[:MAX_TEXT], number=float(value))
        return Observed(type(value).__name__, "a very large number" if type(value) is int else repr(value))
    if isinstance(value, (list, dict)):
        pieces: list[str] = []
        _write(value, pieces, [_MAX_LITERAL], 0)
        return Observed(type(value).__name__, _short("".join(pieces)), size=len(value))
    return Observed("", "")


def _write(value: Any, pieces: list[str], room: list[int], depth: int) -> None:
    """Python's spelling of a JSON value, until the room for it is used up."""
    if room[0] <= 0 or depth > 8:
        pieces.append("…")
        return
    if isinstance(value, dict):
        pieces.append("{")
        for at, (key, item) in enumerate(value.items()):
            if room[0] <= 0:
                pieces.append(", …")
                break
            name = str(key)[:200]
            pieces.append(f"{', ' if at else ''}{name!r}: ")
            room[0] -= len(name) + 4
            if is_secret_name(name) and item is not None:
                pieces.append(REDACTED)
            else:
                _write(item, pieces, room, depth + 1)
        pieces.append("}")
    elif isinstance(value, list):
        pieces.append("[")
        for at, item in enumerate(value):
            if room[0] <= 0:
                pieces.append(", …")
                break
            pieces.append(", " if at else "")
            _write(item, pieces, room, depth + 1)
        pieces.append("]")
    else:
        written = of_json(value).text
        pieces.append(written)
        room[0] -= len(written)
