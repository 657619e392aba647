"""New content of a file as an edit for programs: in bytes of the file that it was made for, which its hash names."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any


def plain_edit(root: Path, path: str, made_for: str, after: bytes) -> dict[str, Any]:
    """{"edits": [{"path", "start_byte", "end_byte", "new_text"}], "base_hash"}: the lines that differ.

    made_for: hash of the content that `after` was made from; "" for a new file, whose edit says "create" and has no
    hash. Where the file is another now, what differs would take back what was written meanwhile: then there are no
    edits, and "no_edit" says why.
    """
    from tracelens.fix.patch import content_hash

    if not made_for:
        text = after.decode(errors="replace")
        created = {"path": path, "create": True, "start_byte": 0, "end_byte": 0, "new_text": text}
        return {"edits": [created], "base_hash": ""}
    try:
        before = (root / path).read_bytes()
    except OSError as error:
        return _none(f"{path}: {error.strerror}")
    if content_hash(before) != made_for:
        return _none(f"{path} was changed meanwhile")
    start, old_end, new_end = _changed(before, after)
    try:
        text = after[start:new_end].decode()
    except UnicodeDecodeError:
        return _none(f"{path} is not in UTF-8")
    edit = {"path": path, "start_byte": start, "end_byte": old_end, "new_text": text}
    return {"edits": [edit], "base_hash": blake2b(before, digest_size=16).hexdigest()}


def _none(why: str) -> dict[str, Any]:
    return {"edits": [], "base_hash": "", "no_edit": why}


def _changed(before: bytes, after: bytes) -> tuple[int, int, int]:
    """(start, end before, end after) of the lines that differ."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    start = sum(map(len, old[:first]))
    tail = sum(map(len, old[len(old) - last :]))
    return start, len(before) - tail, len(after) - tail
