"""The file: every prefix of it is readable, damage is noticed, nothing is made up."""

from __future__ import annotations

import io
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens_indexer.traces import recording
from tracelens_indexer.traces.report import Report
from tracelens_recorder import container, payloads

frames = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=8)


def file_of(written: list[tuple[int, bytes]]) -> bytes:
    return container.MAGIC + b"".join(container.encode(kind, payload) for kind, payload in written)


@given(frames)
def test_what_is_written_is_read(written: list[tuple[int, bytes]]) -> None:
    reader = container.frames(io.BytesIO(file_of(written)))
    assert list(reader) == written
    assert (reader.lost, reader.problem) == (0, "")


@settings(max_examples=40)
@given(frames)
def test_every_prefix_reads_as_the_frames_that_are_whole(written: list[tuple[int, bytes]]) -> None:
    data = file_of(written)
    ends = [len(container.MAGIC)]
    for kind, payload in written:
        ends.append(ends[-1] + len(container.encode(kind, payload)))
    for cut in range(len(data) + 1):
        reader = container.frames(io.BytesIO(data[:cut]))
        whole = sum(1 for end in ends[1:] if end <= cut)
        assert list(reader) == written[:whole]
        good = max([end for end in ends if end <= cut], default=0)
        assert reader.lost == cut - good
        assert bool(reader.problem) == (cut not in ends)


@given(frames.filter(bool), st.data())
def test_a_flipped_bit_is_noticed(written: list[tuple[int, bytes]], data: st.DataObject) -> None:
    whole = bytearray(file_of(written))
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[place // 8] ^= 1 << place % 8
    reader = container.frames(io.BytesIO(bytes(whole)))
    read = list(reader)
    assert reader.problem
    assert read == written[: len(read)]


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_the_appender_keeps_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "a.tlrec"
    appender = container.Appender(str(path))
    before = _open_files()
    appender.append([(1, b"one")])
    appender.append([(2, b"two"), (3, b"")])
    assert before == _open_files()
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("rb") as stream:
        assert list(container.frames(stream)) == [(1, b"one"), (2, b"two"), (3, b"")]


HOSTILE = [
    b"[]",
    b"{}",
    b"[[]]",
    b"[1]",
    b"null",
    b'[{"id":"1","code":0,"outcome":["raised",1]}]',
    b"[" * 5000,
    b'{"format":1}',
    b'[[0,"a.py","f",1,0,""]]',
    b"[[0,-1,0,0,0,1e400,0,0,0,[]]]",
    b'{"format":1,"started_ns":99999999999999999999999}',
]
payload = st.one_of(st.binary(max_size=30), st.sampled_from(HOSTILE))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 20), payload), max_size=8))
def test_hostile_payloads_are_skipped(written: list[tuple[int, bytes]]) -> None:
    head = (payloads.RUN, b'{"format":1}')
    list(recording.read(io.BytesIO(file_of([head, *written])), Report()))


def test_another_format_is_refused_in_words(tmp_path: Path) -> None:
    report = Report()
    assert list(recording.read(io.BytesIO(file_of([(payloads.RUN, b'{"format":99}')])), report)) == []
    assert "update TraceLens" in report.notes[0]
