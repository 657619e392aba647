"""What was tried and what came of it: a line of JSON for each fix that was proposed, applied, branched or undone.

Kept beside the index, only ever added to. It holds what is needed to take an applied fix back, and no prompt: of those
the hash.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tracelens.fix.patch import Patch, PatchRefused, apply, content_hash, inside
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.layout import FOLDER, Layout

_NAME = "fixes.jsonl"
_LARGEST = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    id: str
    """"x:3fa9c1"; lines about the same fix share it."""
    event: str
    """"proposed", "applied", "branched", "requested" or "undone"."""
    at: float
    """Seconds since the epoch."""
    target: str
    """The failure's id, or the tests that failed."""
    strategy: str
    """"template", "llm" or "search"."""
    title: str
    verdict: str
    path: str
    made_for: str
    """Hash of the file before, and with the fix."""
    becomes: str
    diff: str = ""
    tried: int = 0
    """Candidates in all."""
    seconds: float = 0.0
    evidence: tuple[str, ...] = ()
    prompt: str = ""
    """Hash of what a model was asked."""
    replaced: tuple[int, int, str, str] | None = None
    """Of an applied fix: (start, end, before, after) in characters of the file with it, to take it back."""
    extra: dict[str, Any] = field(default_factory=dict)
    """"branch": its name, …"""


def proposed(
    target: str,
    strategy: str,
    title: str,
    verdict: str,
    patch: Patch,
    *,
    tried: int = 0,
    seconds: float = 0.0,
    evidence: Sequence[str] = (),
    prompt: str = "",
) -> Entry:
    """An entry for a fix that was found; `write` it."""
    return Entry(
        id=f"x:{secrets.token_hex(3)}",
        event="proposed",
        at=time.time(),
        target=target[:300],
        strategy=strategy,
        title=title,
        verdict=verdict,
        path=patch.path,
        made_for=patch.made_for,
        becomes=content_hash(patch.content),
        diff=patch.diff,
        tried=tried,
        seconds=round(seconds, 2),
        evidence=tuple(evidence),
        prompt=prompt,
    )


def later(entry: Entry, event: str, **more: Any) -> Entry:
    """What happened to a fix afterwards."""
    known = {**asdict(entry), "event": event, "at": time.time(), "diff": "", **more}
    return _entry(known)


def write(root: Path, entry: Entry) -> None:
    """Add a line. Raises TraceLensError when the folder cannot be written."""
    try:
        layout = Layout(root)
        layout.create()
        file = layout.folder / _NAME
        line = json.dumps(asdict(entry), ensure_ascii=False) + "\n"
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise TraceLensError(f"the ledger of fixes cannot be written: {error.strerror}") from None


def read(root: Path) -> list[Entry]:
    """All lines, oldest first; those that cannot be read are left out."""
    file = root / FOLDER / _NAME
    try:
        if file.stat().st_size > _LARGEST:
            raise TraceLensError(f"{file}: too large to be read; move it away")
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(_entry(json.loads(line)))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def _entry(said: dict[str, Any]) -> Entry:
    known = {name: said[name] for name in Entry.__dataclass_fields__ if name in said}
    known["evidence"] = tuple(known.get("evidence", ()))
    replaced = known.get("replaced")
    known["replaced"] = (int(replaced[0]), int(replaced[1]), str(replaced[2]), str(replaced[3])) if replaced else None
    if not all(isinstance(known[name], str) for name in ("id", "event", "path", "made_for", "becomes", "title")):
        raise TypeError
    return Entry(**known)


def apply_and_note(root: Path, patch: Patch, entry: Entry) -> Path:
    """Write a patch to the user's file, and in the ledger how to take it back. Only for an explicit request."""
    before = inside(root, patch.path).read_bytes().decode("latin-1")
    after = patch.content.decode("latin-1")
    start = _common(before, after)
    tail = _common(before[start:][::-1], after[start:][::-1])
    replaced = (start, len(after) - tail, before[start : len(before) - tail], after[start : len(after) - tail])
    write(root, entry)
    file = apply(root, patch)
    write(root, later(entry, "applied", replaced=replaced))
    return file


def _common(a: str, b: str) -> int:
    """Length of the common beginning."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def undo(root: Path, entry_id: str = "") -> Entry:
    """Take back an applied fix, the latest when none is named. Raises PatchRefused when the file has changed since."""
    entries = read(root)
    undone = {one.id for one in entries if one.event == "undone"}
    applied = [one for one in entries if one.event == "applied" and one.id not in undone]
    if entry_id:
        applied = [one for one in applied if one.id == entry_id]
    if not applied:
        what = f"{entry_id} is not applied" if entry_id else "no fix is applied"
        raise TraceLensError(f"{what}: `tracelens fixes` lists what was done")
    entry = applied[-1]
    file = inside(root, entry.path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise PatchRefused(f"{entry.path}: {error.strerror}; nothing was changed") from None
    assert entry.replaced is not None
    start, end, before, after = entry.replaced
    text = content.decode("latin-1")
    if content_hash(content) != entry.becomes or text[start:end] != after:
        raise PatchRefused(
            f"{entry.path} has changed since {entry.id} was applied; nothing was changed. Take it back by hand"
        )
    restored = (text[:start] + before + text[end:]).encode("latin-1")
    if content_hash(restored) != entry.made_for:
        raise PatchRefused(f"{entry.path}: the ledger does not fit it; nothing was changed")
    apply(root, Patch(entry.path, entry.becomes, restored, ""))
    done = later(entry, "undone", replaced=None)
    write(root, done)
    return done
