"""Importing: from a trace file to a run in the store.

The way of one file: open (unpack, hash) → recognise → read records → map paths, join frames, find the source of each
file as it was → aggregate → one run in the store, in one transaction. Importing the same content twice changes nothing.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Protocol

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.memory import without_collection
from tracelens_indexer.profiles.aggregate import Aggregate, Aggregated, merged
from tracelens_indexer.profiles.bounds import bounded
from tracelens_indexer.profiles.rows import AnchorKey, RunRow, UnitProfile
from tracelens_indexer.store.index import Index
from tracelens_indexer.traces import plugins
from tracelens_indexer.traces.anchors import Anchors
from tracelens_indexer.traces.archives import is_archive, members
from tracelens_indexer.traces.join import Joined, Joiner, JoinSummary, UnitLike
from tracelens_indexer.traces.names import Names
from tracelens_indexer.traces.opening import OpenTrace, open_trace
from tracelens_indexer.traces.paths import Paths
from tracelens_indexer.traces.records import Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.sniff import HEAD, Format, Refusal, recognise

Progress = Callable[[int, int], None]
"""Called with (bytes read, size)."""


class RunWriter(Protocol):
    """What an import needs of the store's writer."""

    index: Index

    def has_run(self, content_hash: str) -> bool: ...
    def add_run(self, run: RunRow, profiles: dict[AnchorKey, UnitProfile]) -> int | None: ...


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of one import."""

    file: str
    format: str
    """The format's name: "pstats"."""
    run: int | None
    """None when nothing was stored: already imported, or nothing in it joins."""
    name: str
    already_imported: bool = False
    records: int = 0
    units: int = 0
    """Units of the workspace that have data from it."""
    frames: JoinSummary = field(default_factory=JoinSummary)
    skipped: dict[str, int] = field(default_factory=dict)
    """Reason to number of parts of the trace that were not read."""
    notes: tuple[str, ...] = ()
    redacted: int = 0


def import_file(
    writer: RunWriter,
    path: Path,
    progress: Progress | None = None,
    name: str | None = None,
    *,
    cancelled: Callable[[], bool] | None = None,
    mapping: Sequence[tuple[str, str]] = (),
    readers: Sequence[str] = (),
) -> ImportSummary:
    """Import one trace; `-` reads standard input. Raises NotATrace with one clear line, or Cancelled.

    `name`: what a person calls the run; default the file's name. `mapping`: see paths.Paths.
    `readers`: names of others' readers that the user allows, which are asked first (plugins.py).
    """
    with open_trace(path) as trace:
        return _import_open(writer, trace, str(path), name, progress, cancelled, mapping, readers)


def _import_open(
    writer: RunWriter,
    trace: OpenTrace,
    file: str,
    name: str | None,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
    mapping: Sequence[tuple[str, str]],
    readers: Sequence[str],
) -> ImportSummary:
    found = _recognise(trace, readers)
    run_name = name or trace.name
    if writer.has_run(trace.content_hash):
        return ImportSummary(file, found.name, None, run_name, already_imported=True)
    report = Report(progress, cancelled, trace.size)
    try:
        with without_collection():
            return _import(writer, [trace], found, file, run_name, trace.content_hash, report, mapping)
    except NotATrace as error:
        # Readers do not know the file's name.
        raise NotATrace(f"{file}: {error}") from error


def import_files(
    writer: RunWriter,
    path: Path,
    progress: Progress | None = None,
    name: str | None = None,
    *,
    cancelled: Callable[[], bool] | None = None,
    mapping: Sequence[tuple[str, str]] = (),
    readers: Sequence[str] = (),
) -> Iterator[ImportSummary | NotATrace]:
    """Import a trace, or every trace in a tar or zip archive as a run of its own; what cannot be read is given back.

    Raises Cancelled, and NotATrace for an archive that is refused as a whole.
    """
    if not is_archive(path):
        try:
            yield import_file(writer, path, progress, name, cancelled=cancelled, mapping=mapping, readers=readers)
        except NotATrace as error:
            yield error
        return
    for member in members(path):
        if isinstance(member, NotATrace):
            yield member
            continue
        try:
            file = f"{path.parent / member.name}"
            yield _import_open(writer, member, file, name, progress, cancelled, mapping, readers)
        except NotATrace as error:
            yield error


def import_recordings(
    writer: RunWriter,
    directory: Path,
    progress: Progress | None = None,
    name: str | None = None,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> ImportSummary:
    """Import all files of one `tracelens record` (one per process) as one run. Raises NotATrace when there are none.

    A file that cannot be read (its process was killed before it wrote anything) is told in the summary.
    """
    if not directory.is_dir():
        raise NotATrace(f"{directory}: no such folder of recordings")
    report = Report(progress, cancelled)
    with ExitStack() as stack:
        traces: list[OpenTrace] = []
        found: Format | None = None
        for path in sorted(directory.iterdir()):
            if not path.is_file():
                continue
            try:
                trace = stack.enter_context(open_trace(path))
                own = _recognise(trace)
            except NotATrace:
                report.skip("recording of a process that cannot be read")
                continue
            if own.name == "tracelens":
                found = own
                traces.append(trace)
        if found is None:
            raise NotATrace(f"{directory}: holds no recording. Did a Python program of this project run?")
        report.size = sum(trace.size for trace in traces)
        digest = blake2b(digest_size=16)
        for content_hash in sorted(trace.content_hash for trace in traces):
            digest.update(content_hash.encode())
        content_hash = traces[0].content_hash if len(traces) == 1 else digest.hexdigest()
        run_name = name or directory.name
        if writer.has_run(content_hash):
            return ImportSummary(str(directory), found.name, None, run_name, already_imported=True)
        with without_collection():
            return _import(writer, traces, found, str(directory), run_name, content_hash, report, ())


def _recognise(trace: OpenTrace, readers: Sequence[str] = ()) -> Format:
    for name in readers:
        takes = plugins.recognises(name, trace.stream)
        trace.stream.seek(0)
        if takes:
            return Format(name, f"{name}, read by an added reader", partial(plugins.read, name))
    head = trace.stream.read(HEAD)
    trace.stream.seek(0)
    found = recognise(head, trace.name)
    if isinstance(found, Refusal):
        raise NotATrace(found.message(trace.name))
    return found


def _import(
    writer: RunWriter,
    traces: Sequence[OpenTrace],
    found: Format,
    file: str,
    name: str,
    content_hash: str,
    report: Report,
    mapping: Sequence[tuple[str, str]],
) -> ImportSummary:
    sources = [
        _Source(trace, found, report, f"{number}:" if len(traces) > 1 else "") for number, trace in enumerate(traces)
    ]
    sources = [source for source in sources if source.begins()]
    if not sources:
        raise NotATrace("holds nothing that can be read")
    if any(trace.damaged for trace in traces):
        report.note("the compressed file is damaged: only what comes before the damage was read")
    facts = sources[0].facts
    for source in sources[1:]:
        facts = merged(facts, source.facts)
    index = writer.index
    modules = {**_gone(facts), **_modules(index)}
    paths = Paths(modules, str(index.root), mapping)
    anchors = Anchors(index.root, paths, facts, _indexed(index), _recorded_ns(facts, traces))
    names = Names(modules, index.units_called, index.decorated_units, anchors.text, anchors.text_now)
    joiner = Joiner(anchors.units, paths, lambda path: anchors.version(path).verified, names)
    report.wants = lambda frame: isinstance(joiner.join(frame), Joined)
    state = Aggregate(joiner, anchors, facts, report)
    for source in sources:
        state.source = source.prefix
        for record in source.records:
            state.add(record)
    result = state.finish()
    report.advance(report.size)
    frames = joiner.summary()
    for note in result.facts.notes:
        report.note(note)
    run = None
    if result.profiles:
        run = writer.add_run(_row(result, name, file, content_hash, frames, report), result.profiles)
    else:
        report.note(_why_nothing(frames))
    return ImportSummary(
        file,
        found.name,
        run,
        name,
        already_imported=run is None and bool(result.profiles),
        records=result.records,
        units=len(result.profiles),
        frames=frames,
        skipped=dict(report.skipped),
        notes=tuple(report.notes),
        redacted=result.facts.redacted + result.redacted,
    )


class _Source:
    """The records of one file, whose facts come first."""

    def __init__(self, trace: OpenTrace, found: Format, report: Report, prefix: str) -> None:
        self.prefix = prefix
        self.facts = RunFacts(tool=found.name)
        self.records: Iterator[Record] = found.read(trace.stream, report)
        self._report = report

    def begins(self) -> bool:
        """Read the facts; False when there is nothing at all."""
        first = next(self.records, None)
        if first is None:
            return False
        if isinstance(first, RunFacts):
            self.facts = first
        else:
            self.records = chain((first,), self.records)
        return True


def _modules(index: Index) -> dict[str, str]:
    modules: dict[str, str] = {}
    for path in index.paths():
        file = index.file(path)
        modules[path] = file.module if file else ""
    return modules


def _gone(facts: RunFacts) -> dict[str, str]:
    """Files that the recording names with their git blob, relative to the workspace: what is not there any more may
    have moved, and is known again by its code."""
    return {
        path: ""
        for path, blob in facts.blobs
        if blob and not path.startswith(("/", "~")) and ":" not in path and ".." not in path.split("/")
    }


def _indexed(index: Index) -> Callable[[str], tuple[str, Sequence[UnitLike]]]:
    def indexed(path: str) -> tuple[str, Sequence[UnitLike]]:
        file = index.file(path)
        return (file.blob if file else "", index.units_in(path))

    return indexed


def _recorded_ns(facts: RunFacts, traces: Sequence[OpenTrace]) -> int:
    """When the run began. A trace without a clock was recorded before its file was written."""
    if facts.started_ns > 0:
        return facts.started_ns
    written = min((trace.mtime_ns for trace in traces), default=0)
    return max(0, written - facts.duration_ns) if written else 0


def _row(result: Aggregated, name: str, file: str, content_hash: str, frames: JoinSummary, report: Report) -> RunRow:
    facts = result.facts
    return RunRow(
        name=name[:200],
        tool=facts.tool[:100],
        file=file,
        content_hash=content_hash,
        started_ns=facts.started_ns,
        imported_ns=time.time_ns(),
        duration_ns=bounded(facts.duration_ns),
        command=facts.command[:2000],
        commit=facts.commit[:100],
        interpreter=facts.interpreter[:100],
        environment=facts.environment[:500],
        service=facts.service[:200],
        redacted=facts.redacted + result.redacted,
        sample_weight=result.sample_weight,
        sample_unit=result.sample_unit,
        joined=json.dumps({**asdict(frames), "skipped": dict(report.skipped)}, ensure_ascii=False),
        notes="\n".join(report.notes),
    )


def _why_nothing(frames: JoinSummary) -> str:
    """The line for a trace of which nothing belongs to the workspace."""
    reasons: Counter[str] = Counter()
    for why in (frames.external, frames.ambiguous, frames.unjoined):
        reasons.update(why)
    if not reasons:
        return "nothing was stored: the trace names no functions"
    listed = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common(4))
    return f"nothing was stored: no frame is code of this workspace ({listed}). Is it indexed? Run: tracelens index"
