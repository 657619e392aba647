"""The tables of index.db. A database of another version is rebuilt, never migrated: all of it can be made again from
the source files and the run files beside it."""

from __future__ import annotations

SCHEMA_VERSION = 3

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    module TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    blob TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    facts BLOB NOT NULL
);

CREATE TABLE units (
    id INTEGER PRIMARY KEY,
    file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    parent INTEGER,
    scope TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    qualname TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_line INTEGER NOT NULL,
    def_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    name_line INTEGER NOT NULL,
    name_column INTEGER NOT NULL,
    body_hash TEXT NOT NULL,
    signature TEXT NOT NULL,
    docstring TEXT NOT NULL,
    returns TEXT NOT NULL,
    resumes INTEGER NOT NULL,
    parameters BLOB NOT NULL,
    decorators BLOB NOT NULL
);
CREATE INDEX units_by_file ON units (file, position);
CREATE INDEX units_by_name ON units (name);
CREATE INDEX units_by_body ON units (body_hash);
-- Routes and tasks are found by these, and few units have any: x'90' is an empty list.
CREATE INDEX units_decorated ON units (id) WHERE decorators != x'90';

CREATE TABLE sites (
    caller INTEGER NOT NULL,
    line INTEGER NOT NULL,
    "column" INTEGER NOT NULL,
    callee TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX sites_by_caller ON sites (caller);

CREATE TABLE edges (
    caller INTEGER NOT NULL,
    callee INTEGER NOT NULL,
    kind TEXT NOT NULL,
    line INTEGER NOT NULL,
    "column" INTEGER NOT NULL,
    confidence TEXT NOT NULL
);
CREATE INDEX edges_by_caller ON edges (caller);
CREATE INDEX edges_by_callee ON edges (callee);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    tool TEXT NOT NULL,
    file TEXT NOT NULL,
    content_hash TEXT NOT NULL UNIQUE,
    started_ns INTEGER NOT NULL,
    imported_ns INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    command TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    interpreter TEXT NOT NULL,
    environment TEXT NOT NULL,
    service TEXT NOT NULL,
    redacted INTEGER NOT NULL,
    sample_weight REAL NOT NULL,
    sample_unit TEXT NOT NULL,
    joined TEXT NOT NULL,
    notes TEXT NOT NULL
);

-- Runtime data holds on to code here: a unit as it was when it was recorded, and the unit that is it now.
CREATE TABLE anchors (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    scope TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    body_hash TEXT NOT NULL,
    unit INTEGER,
    state TEXT NOT NULL,
    UNIQUE (run, path, scope, ordinal, body_hash)
);
CREATE INDEX anchors_by_unit ON anchors (unit, run);

CREATE TABLE profile_units (
    anchor INTEGER PRIMARY KEY REFERENCES anchors (id) ON DELETE CASCADE,
    calls INTEGER NOT NULL,
    counting TEXT NOT NULL,
    resumes INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    timed INTEGER NOT NULL,
    total_ns INTEGER NOT NULL,
    self_ns INTEGER NOT NULL,
    min_ns INTEGER NOT NULL,
    max_ns INTEGER NOT NULL,
    samples_total REAL NOT NULL,
    samples_self REAL NOT NULL,
    captured INTEGER NOT NULL,
    durations BLOB NOT NULL
);
-- What was seen of a unit's values, and the calls kept in full: read as a whole, so packed as a whole (packing.py).
CREATE TABLE profile_details (
    anchor INTEGER PRIMARY KEY REFERENCES anchors (id) ON DELETE CASCADE,
    observed BLOB NOT NULL,
    captures BLOB NOT NULL
);
CREATE TABLE profile_edges (
    anchor INTEGER NOT NULL REFERENCES anchors (id) ON DELETE CASCADE,
    callee INTEGER NOT NULL REFERENCES anchors (id) ON DELETE CASCADE,
    site INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    counting TEXT NOT NULL,
    total_ns INTEGER NOT NULL,
    most INTEGER NOT NULL,
    repeats INTEGER NOT NULL
);
CREATE INDEX profile_edges_by_anchor ON profile_edges (anchor);
CREATE INDEX profile_edges_by_callee ON profile_edges (callee);
CREATE TABLE profile_failures (
    anchor INTEGER NOT NULL REFERENCES anchors (id) ON DELETE CASCADE,
    failure TEXT NOT NULL,
    type TEXT NOT NULL,
    line INTEGER NOT NULL,
    statement_hash TEXT NOT NULL,
    message TEXT NOT NULL,
    n INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    stack TEXT NOT NULL,
    test TEXT NOT NULL
);
CREATE INDEX profile_failures_by_anchor ON profile_failures (anchor);
CREATE INDEX profile_failures_by_failure ON profile_failures (failure);
CREATE TABLE profile_tests (
    anchor INTEGER NOT NULL REFERENCES anchors (id) ON DELETE CASCADE,
    test TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (anchor, test)
) WITHOUT ROWID;
"""
