"""What a workspace's pyproject.toml says about recording: the tables `[tool.tracelens.record]` and
`[tool.tracelens.redact]`.

Python has a reader of TOML from 3.11 on. Before that, and the recorder has no dependencies, the part of TOML is read
that these two tables need: texts, numbers, true and false, and lists of texts.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any, Dict, List

MAX_BYTES = 1 << 20
_TABLES = ("record", "redact")
_PREFIX = "tool.tracelens."
_KEY = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"([^"\\]*)"|'([^']*)')\s*=\s*""")
_TEXT = re.compile(r"""\s*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)')""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "b": "\b", "f": "\f"}


def tables(root: str) -> Dict[str, Dict[str, Any]]:
    """{"record": …, "redact": …} of the pyproject.toml in a folder; what cannot be read is left out."""
    try:
        path = os.path.join(root, "pyproject.toml")
        if os.path.getsize(path) > MAX_BYTES:
            return {}
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return {}
    if "tracelens" not in text:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib

        try:
            found: Any = tomllib.loads(text).get("tool", {}).get("tracelens", {})
        except (tomllib.TOMLDecodeError, AttributeError):
            return {}
        return {one: found[one] for one in _TABLES if isinstance(found.get(one), dict)}
    return subset(text)


def subset(text: str) -> Dict[str, Dict[str, Any]]:
    """The same, of a text, for Pythons that cannot read TOML."""
    found: Dict[str, Dict[str, Any]] = {}
    table = ""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if line.startswith("["):
            name = line.partition("#")[0].strip().strip("[]").replace(" ", "").replace('"', "")
            table = name[len(_PREFIX) :] if name.startswith(_PREFIX) else ""
            continue
        key = _KEY.match(line) if table in _TABLES else None
        if key is None:
            continue
        rest = line[key.end() :]
        while rest.startswith("[") and _open(rest) and at < len(lines):
            rest += "\n" + lines[at]
            at += 1
        value = _value(rest)
        if value is not None:
            found.setdefault(table, {})[key.group(1) or key.group(2) or key.group(3)] = value
    return found


def _open(text: str) -> bool:
    """Whether a list goes on in the next line."""
    bare = "\n".join(_TEXT.sub("", line).partition("#")[0] for line in text.split("\n"))
    return bare.count("[") > bare.count("]")


def _value(text: str) -> Any:
    if text.startswith("["):
        items: List[str] = []
        for line in text[1:].split("\n"):
            place = 0
            while True:
                match = _TEXT.match(line.lstrip(" ,") if not place else line, place)
                if match is None:
                    break
                if not place:
                    line = line.lstrip(" ,")
                items.append(_text(match))
                place = match.end()
                while place < len(line) and line[place] in " ,\t":
                    place += 1
        return items
    match = _TEXT.match(text)
    if match is not None:
        return _text(match)
    word = text.partition("#")[0].strip().replace("_", "")
    if word in ("true", "false"):
        return word == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return None


def _text(match: "re.Match[str]") -> str:
    if match.group(2) is not None:
        return match.group(2)
    return re.sub(r"\\(.)", lambda one: _ESCAPES.get(one.group(1), one.group(0)), match.group(1))
