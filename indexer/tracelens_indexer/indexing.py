"""Indexing a workspace: find the files, lower what changed, link, embed, and write the store.

`index_workspace` does it once; an `Indexer` stays, keeps the linked program, and brings an edit of one file into the
store in a fraction of a second.

The order keeps the store whole whatever happens: facts, units and links go in with one transaction, vectors after it,
by content, so that an interrupted run is continued by the next.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha1
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from tracelens_indexer.embedding.protocol import Embedder
from tracelens_indexer.embedding.text import SEARCHED_KINDS, TEXT_VERSION, search_words, unit_text
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.graph.link import link
from tracelens_indexer.graph.linker import Linker
from tracelens_indexer.source.facts import FileFacts, unit_id
from tracelens_indexer.source.lower import FACTS_VERSION, lower
from tracelens_indexer.store.vectors import TextRow, VectorTable
from tracelens_indexer.store.writer import IndexedFile, KnownFile, Writer
from tracelens_indexer.workspace import SourceFile, discover

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

_FEW_FILES = 30
"""Changes of more files than these (another branch, say) are linked from the beginning."""
_EMBED_BATCH = 256
_COMMIT_SECONDS = 2.0
_COMMIT_ROWS = 8_192
"""Vectors are stored when either is reached: what an interruption costs, against what a commit costs."""

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total): "reading", "linking", "embedding"."""


@dataclass(frozen=True, slots=True)
class IndexSummary:
    files: int
    changed: int
    """Files that were read and lowered again."""
    removed: int
    units: int
    sites: int
    resolved: int
    external: int
    unresolved: int
    parse_errors: int
    """Files with places that do not parse; their other units are indexed all the same."""
    left_out: dict[str, int]
    """Files that were not indexed, by reason."""
    embedded: int
    embedder: str
    seconds: float
    stages: dict[str, float]
    """Seconds of each stage."""


def _silent(stage: str, done: int, total: int) -> None:
    pass


def index_workspace(
    root: Path,
    embedder: Embedder | None = None,
    progress: Progress = _silent,
    said: Callable[[str], None] = lambda line: None,
    *,
    searchable: bool = True,
) -> IndexSummary:
    """Bring the store of a workspace up to date with its files; only what changed is done again.

    `searchable` False leaves the search table for a later call: facts and graph take a second, embedding may take
    minutes. Raises TraceLensError when the folder is missing, holds no Python or cannot be written.
    """
    return _refresh(root, None, embedder, progress, said, searchable)


class Indexer:
    """Keeps the store of a workspace up to date, for a process that lives beside an editor.

    The linked program stays in memory (Django: half a gigabyte). Where another process has linked in between, it is
    made anew.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._linking = _KeptLinking()

    def refresh(
        self,
        embedder: Embedder | None = None,
        progress: Progress = _silent,
        said: Callable[[str], None] = lambda line: None,
        *,
        searchable: bool = True,
    ) -> IndexSummary:
        """As `index_workspace`; an edit inside functions links again only what it reaches."""
        try:
            return _refresh(self._root, self._linking, embedder, progress, said, searchable)
        except BaseException:
            # The store is what it was before; the linked program may be ahead of it.
            self._linking = _KeptLinking()
            raise

    def relink_if_due(self) -> bool:
        """Link everything again if an edit came near a bound on values, so that the graph may be a little off.

        For when nothing else is to be done. Whether it was.
        """
        if not self._linking.is_due:
            return False
        with Writer(self._root) as writer, writer.transaction():
            return self._linking.relink(writer)


def _refresh(
    root: Path,
    kept: _KeptLinking | None,
    embedder: Embedder | None,
    progress: Progress,
    said: Callable[[str], None],
    searchable: bool,
) -> IndexSummary:
    if not root.is_dir():
        raise TraceLensError(f"{root}: no such folder")
    clock = _Clock()
    discovery = discover(root)
    if not discovery.files:
        raise TraceLensError(f"{root}: no Python files found. Give the folder of your project: tracelens index PATH")
    clock.lap("finding")
    with Writer(root, said) as writer:
        known = writer.known_files()
        # Facts that another version of lowering made are made again, whatever the files' times say.
        usable = known if writer.noted("facts") == FACTS_VERSION else {}
        changed, touched, left_out = _read_changed(root, discovery.files, usable, progress)
        present = {file.path for file in discovery.files} - set(left_out)
        removed = [path for path in known if path not in present]
        clock.lap("reading")
        state = writer.index.state()
        name = f"{embedder.name}-{embedder.version}" if embedder else ""
        # When the search table has what the store had, only what changes now is missing in it.
        searched = writer.noted("embedded") == writer.index.text_signature(name)
        with writer.transaction():
            writer.replace_files(changed, removed)
            writer.touch_files(touched)
            if changed or removed or state.indexed_ns == 0:
                progress("linking", 0, 1)
                if kept is not None:
                    kept.link(writer, changed, removed)
                else:
                    _link_once(writer)
                progress("linking", 1, 1)
            writer.note("facts", FACTS_VERSION)
            writer.finish_index()
        clock.lap("linking")
        paths = {file.path for file in changed} | set(removed) if searched else None
        embedded = _embed(writer, root, embedder, paths, progress, said) if searchable else 0
        clock.lap("embedding")
        state = writer.index.state()
        parse_errors = writer.files_with_errors()
    reasons = Counter([file.reason for file in discovery.left_out] + list(left_out.values()))
    return IndexSummary(
        files=state.files,
        changed=len(changed),
        removed=len(removed),
        units=state.units,
        sites=state.sites,
        resolved=state.resolved,
        external=state.external,
        unresolved=state.unresolved,
        parse_errors=parse_errors,
        left_out=dict(reasons),
        embedded=embedded,
        embedder=state.embedder,
        seconds=clock.total(),
        stages=clock.stages,
    )


def _link_once(writer: Writer) -> None:
    writer.replace_links(link(writer.all_facts()))
    writer.note("linked", token_hex(8))


class _KeptLinking:
    """A linked program, and by what token the store knows that its links are from it."""

    def __init__(self) -> None:
        self._linker: Linker | None = None
        self._token = ""
        self.is_due = False
        """Whether an edit came near a bound, and everything should be linked again some time."""

    def link(self, writer: Writer, changed: Sequence[IndexedFile], removed: Sequence[str]) -> None:
        linker = self._linker
        if linker is None or writer.noted("linked") != self._token or len(changed) + len(removed) > _FEW_FILES:
            self._linker = None  # before the new one is made: both would not fit beside an editor
            self._linker = Linker(writer.all_facts())
            self._write_all(writer, self._linker)
            return
        updates = [linker.remove(path) for path in removed]
        updates += [linker.update(file.path, file.module, file.facts) for file in changed]
        if any(update.full for update in updates):
            self._write_all(writer, linker)
            return
        self.is_due = self.is_due or not all(update.exact for update in updates)
        links = {path: its for update in updates for path, its in update.links.items()}
        # What a file's units were may be gone: their links go with them, and those that stay are written again.
        links |= {file.path: linker.file_links(file.path) for file in changed}
        writer.replace_file_links(links)

    def relink(self, writer: Writer) -> bool:
        """Link everything again; whether that could be done."""
        self.is_due = False
        if self._linker is None or writer.noted("linked") != self._token:
            return False
        self._linker.relink()
        self._write_all(writer, self._linker)
        return True

    def _write_all(self, writer: Writer, linker: Linker) -> None:
        self.is_due = False
        self._token = token_hex(8)
        writer.replace_links(linker.links())
        writer.note("linked", self._token)


class _Clock:
    def __init__(self) -> None:
        self._begun = self._last = time.perf_counter()
        self.stages: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.stages[stage] = round(now - self._last, 4)
        self._last = now

    def total(self) -> float:
        return round(time.perf_counter() - self._begun, 4)


def content_hash(source: bytes) -> str:
    """Identity of a file's facts: its bytes and the version of lowering."""
    return blake2b(source, digest_size=16, person=FACTS_VERSION.encode()[:16]).hexdigest()


def git_blob_id(source: bytes) -> str:
    """The id git gives these bytes, so that a recording made elsewhere can name them."""
    return sha1(b"blob %d\0" % len(source) + source, usedforsecurity=False).hexdigest()


def _read_changed(
    root: Path, files: Sequence[SourceFile], known: dict[str, KnownFile], progress: Progress
) -> tuple[list[IndexedFile], list[tuple[str, int, int]], dict[str, str]]:
    """(files to store, (path, size, mtime) of files whose bytes are the same, path → reason of unreadable ones)."""
    changed: list[IndexedFile] = []
    touched: list[tuple[str, int, int]] = []
    unreadable: dict[str, str] = {}
    for done, file in enumerate(files):
        progress("reading", done, len(files))
        path = root / file.path
        old = known.get(file.path)
        try:
            stat = path.stat()
            if old and (old.size, old.mtime_ns, old.module) == (stat.st_size, stat.st_mtime_ns, file.module):
                continue
            source = path.read_bytes()
        except OSError as error:
            unreadable[file.path] = f"unreadable ({error.strerror})"
            continue
        identity = content_hash(source)
        if old and old.content_hash == identity and old.module == file.module:
            touched.append((file.path, stat.st_size, stat.st_mtime_ns))
            continue
        changed.append(
            IndexedFile(
                path=file.path,
                module=file.module,
                content_hash=identity,
                blob=git_blob_id(source),
                size=stat.st_size,
                mtime_ns=stat.st_mtime_ns,
                facts=lower(source),
            )
        )
    progress("reading", len(files), len(files))
    return changed, touched, unreadable


def _texts(root: Path, path: str, module: str, facts: FileFacts) -> Iterator[tuple[TextRow, str]]:
    """The rows to search of one file, each with the text to embed."""
    try:
        source = (root / path).read_bytes()
    except OSError:
        return
    for unit in facts.units:
        if unit.kind not in SEARCHED_KINDS:
            continue
        text = unit_text(module, unit, source)
        identity = blake2b(f"{TEXT_VERSION}\0{text}".encode(errors="surrogatepass"), digest_size=12).hexdigest()
        yield TextRow(unit_id(path, unit.scope, unit.ordinal), path, identity, search_words(text)), text


def _embed(
    writer: Writer,
    root: Path,
    embedder: Embedder | None,
    paths: set[str] | None,
    progress: Progress,
    said: Callable[[str], None],
) -> int:
    """Bring the search table up to date; the number of units that were embedded (or indexed as text).

    `paths`: the files whose units may be missing in it; None for all.
    """
    name = f"{embedder.name}-{embedder.version}" if embedder else ""
    signature = writer.index.text_signature(name)
    if signature == writer.noted("embedded"):
        return 0
    before = writer.noted("embedder_identity")
    if before and name and before != name:
        said(f"the embedding model changed from {before} to {name}: every unit is embedded again")
    table = VectorTable(writer.layout.vectors, name, embedder.dimension if embedder else 0)
    stored = table.hashes(paths)
    wanted: set[int] = set()
    new: list[tuple[TextRow, str]] = []
    for path, (module, facts) in writer.all_facts(paths).items():
        for row, text in _texts(root, path, module, facts):
            wanted.add(row.id)
            if stored.get(row.id) != row.text_hash:
                new.append((row, text))
    # Texts of like length side by side: the shorter ones of a batch are padded to the longest.
    new.sort(key=lambda pair: len(pair[1]))
    _store_vectors(table, new, embedder, progress)
    table.remove([unit for unit in stored if unit not in wanted])
    table.finish()
    progress("embedding", len(new), len(new))
    with writer.transaction():
        writer.note("embedded", signature)
        writer.note("embedder", embedder.name if embedder else "")
        writer.note("embedder_identity", name)
    return len(new)


def _store_vectors(
    table: VectorTable, new: Sequence[tuple[TextRow, str]], embedder: Embedder | None, progress: Progress
) -> None:
    """Embed in small batches, commit in large ones; what is committed is not embedded again after an interruption."""
    pending: list[TextRow] = []
    parts: list[NDArray[float32]] = []
    committed = time.monotonic()
    for start in range(0, len(new), _EMBED_BATCH):
        progress("embedding", start, len(new))
        batch = new[start : start + _EMBED_BATCH]
        pending += [row for row, _ in batch]
        if embedder:
            parts.append(embedder.embed([text for _, text in batch]))
        last = start + _EMBED_BATCH >= len(new)
        if last or len(pending) >= _COMMIT_ROWS or time.monotonic() - committed > _COMMIT_SECONDS:
            table.replace(pending, _stacked(parts))
            pending, parts, committed = [], [], time.monotonic()


def _stacked(parts: Sequence[NDArray[float32]]) -> NDArray[float32] | None:
    if not parts:
        return None
    import numpy

    return numpy.concatenate(parts)
