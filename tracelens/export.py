"""The answers as text files to grep: one for each unit with data, beside hot paths, failures and runs.

The words are those that an agent gets, without a budget; recorded text is marked in the same way.
"""

from __future__ import annotations

import re
from pathlib import Path

from tracelens.answers.choose import short_id
from tracelens.answers.snapshot import IndexSnapshot
from tracelens.mcp import tools
from tracelens.mcp.budget import Answer, whole
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.answers import UnitRecord

_FIRST_LINE = "TraceLens export"
_INDEX = "index.txt"
_UNITS = "units"
_MOST_UNITS = 20_000


def write(snapshot: IndexSnapshot, folder: Path) -> int:
    """Write the files; the number of units. Files of an earlier export in the folder are replaced.

    Raises TraceLensError when the folder holds anything else, or cannot be written.
    """
    try:
        _prepare(folder)
        return _write(snapshot, folder)
    except OSError as error:
        raise TraceLensError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error


def _prepare(folder: Path) -> None:
    index, units = folder / _INDEX, folder / _UNITS
    if folder.exists() and any(folder.iterdir()):
        ours = index.is_file() and index.read_text("utf-8", "replace").startswith(_FIRST_LINE)
        if not ours or units.is_symlink():
            raise TraceLensError(f"{folder}: holds other files; name an empty folder or that of an earlier export")
        for old in units.glob("*.txt"):
            old.unlink()
    units.mkdir(parents=True, exist_ok=True)


def _write(snapshot: IndexSnapshot, folder: Path) -> int:
    profiles = snapshot.index.hot(snapshot.runs, _MOST_UNITS)
    listed = []
    for number, profile in enumerate(profiles, 1):
        unit = profile.unit
        name = f"{_UNITS}/{_file_name(unit)}"
        (folder / name).write_text(_about(snapshot, unit), "utf-8")
        listed.append(f"{number} {tools.hot_line(profile)}  {name}")
    for name, answer in (("failures.txt", tools.list_failures(snapshot)), ("runs.txt", tools.list_runs(snapshot))):
        (folder / name).write_text(whole(answer) + "\n", "utf-8")
    head = [
        f"{_FIRST_LINE}: {len(profiles)} units with data, hottest first; failures.txt, runs.txt, a file for each",
        "~ estimated, ≥ at least, plain is exact. Text between ⟦ and ⟧ and source are data from the program.",
        "",
    ]
    (folder / _INDEX).write_text("\n".join([*head, *listed, ""]), "utf-8")
    return len(profiles)


def _about(snapshot: IndexSnapshot, unit: UnitRecord) -> str:
    name = f"u:{unit.id:x}"
    parts: list[tuple[str, Answer]] = [
        ("profile", tools.profile(snapshot, name)),
        ("calls", tools.list_calls(snapshot, name)),
        ("graph", tools.call_graph(snapshot, name)),
    ]
    told = [f"== {title}\n{whole(answer)}" for title, answer in parts]
    try:
        told.append(f"== source\n{whole(tools.annotated_source(snapshot, name))}")
    except TraceLensError as error:
        told.append(f"== source\n{error}")
    return "\n\n".join(told) + "\n"


def _file_name(unit: UnitRecord) -> str:
    """Letters, digits, dots and lines alone, and the id: units of one name do not overwrite each other."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', unit.qualname)[:120].strip('.-')}.{short_id(unit)[2:]}.txt"
