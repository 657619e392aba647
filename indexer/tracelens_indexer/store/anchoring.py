"""Which unit is, now, the code that runtime data was recorded on.

An anchor is (path, scope, ordinal, body hash at record time). After every index each is resolved again:

- fresh: the unit is where it was and its body is what it was;
- moved: it is gone from there and exactly one other unit, which the run did not see beside it, has its body;
- stale: it is there with another body (its data is still shown, and said to be stale), or gone (unit is None);
- unverified: nothing is known about what the code looked like when it was recorded, or it was hashed by another version
  of TraceLens, whose hashes say nothing beside ours.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict

from tracelens_indexer.profiles.rows import AnchorState
from tracelens_indexer.source.tokens import comparable


def resolve_anchors(connection: sqlite3.Connection, run: int | None = None) -> None:
    """Set `unit` and `state` of all anchors, or of one run's, inside the caller's transaction."""
    here: dict[tuple[str, str, int], tuple[int, str]] = {}
    by_body: dict[str, list[int]] = defaultdict(list)
    for row in connection.execute(
        "SELECT units.id, path, scope, ordinal, body_hash, kind FROM units JOIN files ON files.id = units.file"
    ):
        here[row[1], row[2], row[3]] = (row[0], row[4])
        # A module's body is the whole file; a comprehension's or lambda's is too small to be recognised by.
        if row[5] in ("class", "function", "method"):
            by_body[row[4]].append(row[0])

    where = "" if run is None else " WHERE run = ?"
    anchors = connection.execute(
        f"SELECT id, run, path, scope, ordinal, body_hash, unit, state FROM anchors{where}",
        () if run is None else (run,),
    ).fetchall()
    seen: dict[int, set[int]] = defaultdict(set)
    for anchor in anchors:
        found = here.get((anchor[2], anchor[3], anchor[4]))
        if found is not None and found[1] == anchor[5]:
            seen[anchor[1]].add(found[0])

    updates: list[tuple[int | None, AnchorState, int]] = []
    for anchor_id, run_id, path, scope, ordinal, body_hash, old_unit, old_state in anchors:
        found = here.get((path, scope, ordinal))
        unit: int | None
        state: AnchorState
        if not comparable(body_hash):
            unit, state = (found[0] if found else None), "unverified"
        elif found and found[1] == body_hash:
            unit, state = found[0], "fresh"
        elif found:
            unit, state = found[0], "stale"
        else:
            same = [other for other in by_body[body_hash] if other not in seen[run_id]]
            unit, state = (same[0], "moved") if len(same) == 1 else (None, "stale")
        if (unit, state) != (old_unit, old_state):
            updates.append((unit, state, anchor_id))
    connection.executemany("UPDATE anchors SET unit = ?, state = ? WHERE id = ?", updates)
