"""TraceLens recordings: what `tracelens record` writes, one file per process (docs/recording-format.md).

The only format with everything: exact counts and times, call edges with their site, calls captured with arguments and
result, failures with their stack and locals, samples, the blob id of each source file, and tests. Numbers are written
as they come in and are summed here; whether a sum is exact is told by the recording: a function may have been parked,
and a recording without its end was killed.

Payloads are JSON, checked against the shapes of recording_shapes.py: what does not fit is skipped and reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from tracelens_indexer.traces.recording_shapes import Capture, Seen
from tracelens_indexer.traces.recording_sums import Sums
from tracelens_indexer.traces.records import Failure, Record
from tracelens_indexer.traces.report import Report
from tracelens_recorder import container, payloads


def recognises(head: bytes) -> bool:
    return head.startswith(container.MAGIC)


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """Facts, sums and samples first, then captures and failures as they stream by. Reads a seekable stream twice."""
    sums = Sums(report)
    frames = container.frames(stream)
    for kind, payload in frames:
        sums.take(kind, payload)
    if frames.problem:
        sums.notes.append(f"{frames.problem}: the last {frames.lost} bytes of the recording are lost")
    if sums.run is None:
        report.skip("recording without a head")
        report.note("the recording says nothing about itself: it ended before its first lines were written")
        return
    if sums.run.format != payloads.FORMAT:
        report.skip("recording of another version")
        report.note(
            f"the recording is of format {sums.run.format}, this version reads {payloads.FORMAT}: update TraceLens"
        )
        return
    yield sums.facts()
    yield from sums.counts()
    yield from sums.edge_counts()
    yield from sums.value_counts()
    yield from sums.stacks()
    stream.seek(0)
    last: dict[int, Failure] = {}
    for kind, payload in container.frames(stream):
        if kind == payloads.CAPTURES:
            for capture in sums.decoded_each(payload, Capture):
                call = sums.call(capture)
                if call is not None:
                    yield call
        elif kind == payloads.FAILURES:
            for seen in sums.decoded_each(payload, Seen):
                failure = sums.failure(seen)
                if failure is not None:
                    last[seen.group] = failure
                    yield failure
    for group, n in sums.repeated.items():
        failure = last.get(group) or sums.bare_failure(group)
        if failure is not None and n > 0:
            yield _again(failure, n)


def _again(failure: Failure, n: int) -> Failure:
    """The failures of the same kind at the same place that were counted and not kept."""
    return Failure(failure.type, failure.message, failure.stack, failure.at_ns, n)
