"""The result of a repair agent's task as a record of a fix: what was proposed, and what the agent saw of it.

    {"task_id", "status", "result": {"analysis", "final_patch": {"filename", "code", "explanation"},
     "test_results": [{"attempt", "success", "stdout"}]}}

It is no trace: it holds no run of the code of this workspace. So it goes into the ledger of fixes (`tracelens fixes`),
as a proposal that was not proved here, with its diff against the file as it is now. Nothing of it is applied or run.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tracelens.fix import ledger
from tracelens.fix.patch import Edit, Source, content_hash, make_patch
from tracelens_indexer.errors import NoIndex, TraceLensError
from tracelens_indexer.store import Index
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.paths import Paths
from tracelens_recorder.redact import redact_text

_LARGEST = 8 * 1024 * 1024
_HEAD = 64 * 1024
_TITLE = 200
_ANALYSIS = 2_000


def noted(root: Path, file: Path) -> ledger.Entry | None:
    """Put a task result into the ledger, once; None when the file is something else.

    Raises TraceLensError for a task result without a patch.
    """
    found = _read(file)
    if found is None:
        return None
    data, identity = found
    entry = _entry(root, data, identity)
    for known in ledger.read(root):
        if known.id == entry.id:
            return replace(known, event="known")
    ledger.write(root, entry)
    return entry


def told(entry: ledger.Entry) -> str:
    """What became of it, in a line."""
    if entry.event == "known":
        return f"{entry.id}: already noted, nothing to do"
    return f"{entry.id}: a proposed fix of {entry.path}, noted and not applied ({entry.verdict}). See: tracelens fixes"


def _read(file: Path) -> tuple[dict[str, Any], str] | None:
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return None
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
            if not head.lstrip().startswith(b"{") or b'"task_id"' not in head:
                return None
            content = head + stream.read()
        data = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not {"task_id", "status", "result"} <= data.keys():
        return None
    return data, blake2b(content, digest_size=3).hexdigest()


def _entry(root: Path, data: dict[str, Any], identity: str) -> ledger.Entry:
    result = shapes.mapping(data["result"])
    patch = shapes.mapping(result.get("final_patch"))
    name, code = shapes.path(patch.get("filename")), shapes.text(patch.get("code"), _LARGEST)
    if not name or not code:
        raise TraceLensError("the result of a repair task without a patch: there is nothing to note")
    path = _path(root, name)
    attempts = [shapes.mapping(one) for one in shapes.items(result.get("test_results"))]
    passed = sum(one.get("success") is True for one in attempts)
    seen = f"the agent's own tests: {passed} of {len(attempts)} attempts passed" if attempts else "no test was told"
    made_for, becomes, diff, fits = "", content_hash(code.encode("utf-8", "replace")), "", "no such file here"
    if path:
        try:
            source = Source.read(root, path)
            made = make_patch(source, [Edit(0, len(source.text), code.replace("\r\n", "\n"))])
            made_for, becomes, diff, fits = made.made_for, content_hash(made.content), made.diff, ""
        except (TraceLensError, ValueError, UnicodeEncodeError) as error:
            fits = str(error)
    explanation = shapes.text(patch.get("explanation"), _ANALYSIS).strip()
    return ledger.Entry(
        id=f"x:{identity}",
        event="proposed",
        at=time.time(),
        target=shapes.text(data.get("task_id"), 300),
        strategy="imported",
        title=_clean(explanation.partition("\n")[0] or f"fix of {name}", _TITLE),
        verdict="; ".join(part for part in ("not proved here", fits, seen) if part),
        path=path or name,
        made_for=made_for,
        becomes=becomes,
        diff=diff,
        tried=len(attempts),
        extra={
            "status": _clean(shapes.text(data.get("status")), 100),
            "analysis": _clean(shapes.text(result.get("analysis"), _ANALYSIS), _ANALYSIS),
            "explanation": _clean(explanation, _ANALYSIS),
        },
    )


def _path(root: Path, name: str) -> str:
    """The file of the workspace that is meant; "" when there is none, or more than one."""
    try:
        index = Index.open(root)
    except NoIndex:
        return ""
    try:
        modules = {path: file.module for path in index.paths() if (file := index.file(path))}
    finally:
        index.close()
    found = Paths(modules, str(root)).find(name)
    return found if isinstance(found, str) else ""


def _clean(text: str, limit: int) -> str:
    return redact_text(text)[0][:limit]
