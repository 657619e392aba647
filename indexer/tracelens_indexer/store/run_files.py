"""Run files: what one run left, kept beside the database so that a rebuilt database loses nothing.

runs/<content hash>.run is msgpack of (format, run row, [packed profile]). It is written before the database's
transaction commits; a run file without its row is picked up at the next rebuild.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from tracelens_indexer.profiles.rows import RunRow
from tracelens_indexer.store.packing import Packed

FORMAT = 2


class _RunFile(msgspec.Struct, array_like=True):
    format: int
    run: RunRow
    profiles: list[Packed]


def save(folder: Path, run: RunRow, profiles: Sequence[Packed]) -> Path:
    """Write a run file whole or not at all."""
    path = folder / f"{run.content_hash}.run"
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(msgspec.msgpack.encode(_RunFile(FORMAT, run, list(profiles))))
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    return path


def load_all(folder: Path) -> Iterator[tuple[RunRow, list[Packed]]]:
    """All readable run files, oldest first; one of another format or damaged is left where it is."""
    loaded: list[_RunFile] = []
    for path in folder.glob("*.run"):
        try:
            content = msgspec.msgpack.decode(path.read_bytes(), type=_RunFile)
        except (OSError, msgspec.MsgspecError):
            continue
        if content.format == FORMAT:
            loaded.append(content)
    for content in sorted(loaded, key=lambda item: item.run.imported_ns):
        yield content.run, content.profiles


def remove(folder: Path, content_hashes: Iterable[str]) -> None:
    for content_hash in content_hashes:
        (folder / f"{content_hash}.run").unlink(missing_ok=True)
