"""New content of a file as an edit for programs: in bytes of the file that it was made for, which its hash names."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any


def plain_edit(path: str, before: bytes | None, after: bytes) -> dict[str, Any]:
    """{"edits": [{"path", "start_byte", "end_byte", "new_text"}], "base_hash"}: the lines that differ.

    before: None for a new file; its edit says "create" and has no hash.
    """
    if before is None:
        text = after.decode(errors="replace")
        created = {"path": path, "create": True, "start_byte": 0, "end_byte": 0, "new_text": text}
        return {"edits": [created], "base_hash": ""}
    start, old_end, new_end = _changed(before, after)
    edit = {
        "path": path,
        "start_byte": start,
        "end_byte": old_end,
        "new_text": after[start:new_end].decode(errors="replace"),
    }
    return {"edits": [edit], "base_hash": blake2b(before, digest_size=16).hexdigest()}


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
