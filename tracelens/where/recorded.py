"""What a recorded value was, as far as its bounded text tells."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]?inf|nan", re.IGNORECASE)
_QUOTED = re.compile(r"b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r"}
_OPENING, _CLOSING = "([{", ")]}"
_CONTAINERS = {"list", "tuple", "dict", "set", "frozenset"}
REDACTED = "[redacted]"


@dataclass(frozen=True, slots=True)
class Datum:
    """A value. `known` is False when only its type is."""

    type: str
    known: bool
    value: float | int | str | bool | None = None
    """A number, a text, a truth value, None; the recorded text of anything else."""
    size: int | None = None
    """len(), where it can be told."""


def datum(type_: str, text: str) -> Datum:
    """The value behind a type and its text; cut or redacted texts are not known."""
    if text == "None":
        return Datum("NoneType", True, None)
    if text in ("True", "False") and type_ in ("bool", ""):
        return Datum("bool", True, text == "True")
    if REDACTED in text:
        return Datum(type_, False)
    if type_ in ("int", "float", "") and len(text) < 400 and _NUMBER.fullmatch(text):
        whole = text.lstrip("+-").isdigit()
        return Datum(type_ or ("int" if whole else "float"), True, int(text) if whole else float(text))
    if _QUOTED.fullmatch(text) and not text.endswith(("…'", '…"')):
        inside = _unescaped(text[text.index(text[-1]) + 1 : -1])
        return Datum(type_ or "str", True, inside, len(inside))
    if "…" in text:
        return Datum(type_, False)
    short = type_.rpartition(".")[2]
    return Datum(type_, True, text, _items(text) if short in _CONTAINERS else None)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code:
            number = int(code, 16)
            return chr(number) if number <= 0x10FFFF else match[0]
        return _PLAIN.get(match[4], match[4])

    return _ESCAPE.sub(one, text)


def _items(text: str) -> int | None:
    """Number of items of a container written out: commas between its brackets, outside quotes and inner brackets."""
    if text in ("set()", "frozenset()"):
        return 0
    start = next((i for i, char in enumerate(text) if char in _OPENING), -1)
    if text.startswith("frozenset(") and start >= 0:
        text, start = text[start + 1 : -1], 0
    if start < 0 or not text or text[-1] not in _CLOSING:
        return None
    depth, items, something, quote, at = 0, 0, False, "", start
    while at < len(text):
        char = text[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote, something = char, True
        elif char in _OPENING:
            something = something or depth > 0
            depth += 1
        elif char in _CLOSING:
            depth -= 1
            if depth == 0 and at != len(text) - 1:
                return None
        elif char == "," and depth == 1:
            items, something = items + something, False
        elif not char.isspace():
            something = True
        at += 1
    return None if depth or quote else items + something
