"""What a person does not want to be told: by a comment on the line, or by the project's own list.

A comment `# tracelens: ignore` silences every rule on its line, `# tracelens: ignore[contract, drift]` those. The list
`ignore` under `[tool.tracelens.diagnostics]` in pyproject.toml holds rules ("drift") and rules of some files
("tests/*: failure").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

_COMMENT = re.compile(rb"#\s*tracelens:\s*ignore(?:\[([\w\s,-]*)\])?")


def on_line(line: bytes, rule: str) -> bool:
    """Whether a line's comment says that it is not to be told of a rule."""
    found = _COMMENT.search(line)
    if found is None:
        return False
    return found[1] is None or rule in re.split(r"[\s,]+", found[1].decode())


def by_project(patterns: Sequence[str], path: str, rule: str) -> bool:
    """Whether the project's list says so for a file (relative to the workspace)."""
    for pattern in patterns:
        files, _, named = pattern.rpartition(":")
        if named.strip() in (rule, "*") and (not files.strip() or fnmatchcase(path, files.strip())):
            return True
    return False


def comment_for(line: bytes, rule: str) -> bytes:
    """What is put at the end of a line so that a rule is ignored there, a rule that is named there already kept."""
    return b"  # tracelens: ignore[" + rule.encode() + b"]"
