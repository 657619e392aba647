"""Importing: once, from anything that can be opened, anchored to the code that was recorded."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.traces.conftest import SAMPLES, Shop, index
from tracelens_indexer.errors import NotATrace
from tracelens_indexer.profiles.aggregate import Aggregate, Aggregated
from tracelens_indexer.profiles.keeping import MAX_CAPTURES
from tracelens_indexer.profiles.rows import UnitProfile
from tracelens_indexer.profiles.slots import MAX_SINGLE, MAX_VALUES
from tracelens_indexer.source.outline import outline
from tracelens_indexer.traces.anchors import Anchors, blob_id
from tracelens_indexer.traces.importing import ImportSummary, import_file, import_recordings
from tracelens_indexer.traces.join import Joiner
from tracelens_indexer.traces.paths import Paths
from tracelens_indexer.traces.records import (
    Call,
    Count,
    EdgeCount,
    Failure,
    FailureFrame,
    Frame,
    Observed,
    Outcome,
    Raised,
    Record,
    Returned,
    RunFacts,
    Sample,
)
from tracelens_indexer.traces.report import Cancelled, Report
from tracelens_recorder import container, payloads

LOG = SAMPLES / "app.log"


def test_importing_twice_changes_nothing(shop: Shop) -> None:
    first = import_file(shop, LOG)
    again = import_file(shop, LOG, name="another name")
    assert first.run is not None
    assert (again.run, again.already_imported) == (None, True)
    assert len(shop.index.runs()) == 1


def test_a_packed_copy_is_the_same_trace(shop: Shop, tmp_path: Path) -> None:
    packed = tmp_path / "app.log.gz"
    packed.write_bytes(gzip.compress(LOG.read_bytes()))
    assert import_file(shop, packed).run is not None
    assert import_file(shop, LOG).already_imported


def test_a_pipe_is_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(gzip.compress(LOG.read_bytes()))

    monkeypatch.setattr(sys, "stdin", Input)
    summary = import_file(shop, Path("-"))
    assert (summary.name, summary.frames.joined) == ("pipe", 7)


def test_a_damaged_gzip_is_used_up_to_the_damage(shop: Shop, tmp_path: Path) -> None:
    text = LOG.read_bytes() + os.urandom(200_000).hex().encode()
    packed = tmp_path / "cut.log.gz"
    packed.write_bytes(gzip.compress(text)[:-1000])
    assert import_file(shop, packed).frames.joined == 7
    packed.write_bytes(b"\x1f\x8b\x08\x00rubbish")
    with pytest.raises(NotATrace, match="damaged compressed"):
        import_file(shop, packed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"\x00\x01\x02", "binary, of no known format"),
        (b"just words\n", "without a Python traceback"),
        (b"{\xa9\x03", "damaged"),
        (b'{"traceEvents": [', "without a single finished Python function"),
        (b'{"$schema": "https://www.speedscope.app/file', "cut short"),
    ],
)
def test_what_cannot_be_imported_says_so_in_one_line(
    shop: Shop, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "trace.x"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotATrace, match=message) as error:
        import_file(shop, path)
    assert "trace.x" in str(error.value)
    assert "\n" not in str(error.value)
    assert shop.index.runs() == []


def test_a_folder_and_an_unreadable_file_say_so(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(NotATrace, match="is a folder"):
        import_file(shop, tmp_path)
    with pytest.raises(NotATrace, match="holds no recording"):
        import_recordings(shop, tmp_path / "ws")
    with pytest.raises(NotATrace, match="no such folder"):
        import_recordings(shop, tmp_path / "nowhere")
    secret = tmp_path / "secret.log"
    secret.write_bytes(LOG.read_bytes())
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read anything")
    with pytest.raises(NotATrace, match="permission denied"):
        import_file(shop, secret)


def test_a_memory_profile_is_refused(shop: Shop, tmp_path: Path) -> None:
    document = json.loads((SAMPLES / "pyspy.speedscope.json").read_bytes())
    for profile in document["profiles"]:
        profile["unit"] = "bytes"
    path = tmp_path / "memory.json"
    path.write_text(json.dumps(document))
    with pytest.raises(NotATrace, match="memory profile"):
        import_file(shop, path)


def test_a_trace_of_another_program_is_not_stored_and_says_why(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "other.log"
    path.write_text('Traceback (most recent call last):\n  File "/srv/x/y.py", line 1, in f\nKeyError: 1\n')
    summary = import_file(shop, path)
    assert (summary.run, summary.already_imported) == (None, False)
    assert summary.notes == (
        "nothing was stored: no frame is code of this workspace (outside the workspace 1). "
        "Is it indexed? Run: tracelens index",
    )


def test_progress_is_told_and_an_import_can_be_cancelled(shop: Shop) -> None:
    told: list[tuple[int, int]] = []
    import_file(shop, LOG, lambda read, size: told.append((read, size)))
    assert told[-1] == (LOG.stat().st_size, LOG.stat().st_size)
    with pytest.raises(Cancelled):
        import_file(shop, SAMPLES / "pyspy.speedscope.json", cancelled=lambda: True)
    assert len(shop.index.runs()) == 1


# -- anchors ---------------------------------------------------------------------------------------------------------


def touch(path: Path, seconds: float) -> None:
    os.utime(path, (seconds, seconds))


def test_a_file_older_than_the_run_is_what_was_recorded(shop: Shop) -> None:
    import_file(shop, SAMPLES / "app.jsonl")
    current = {unit.scope: unit.body_hash for unit in shop.index.units_in("shop/pricing.py")}
    assert shop.key("line_total").body_hash == current["line_total"]


def test_a_file_written_since_leaves_its_anchors_unverified(shop: Shop, tmp_path: Path) -> None:
    touch(shop.root / "shop" / "pricing.py", 4_000_000_000)
    import_file(shop, SAMPLES / "app.jsonl")
    assert shop.key("line_total").body_hash == ""
    assert shop.key("OrderService.process").body_hash != ""


def git(root: Path, *command: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *command], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def edited(shop: Shop) -> tuple[str, str, str]:
    """Commit, then move and change line_total. (commit, blob id, body hash) of what it was."""
    root = shop.root
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    before = {unit.scope: unit.body_hash for unit in shop.index.units_in("shop/pricing.py")}
    blob = git(root, "rev-parse", "HEAD:shop/pricing.py")
    pricing = root / "shop" / "pricing.py"
    pricing.write_text("# one\n# more\n" + pricing.read_text().replace("item.qty <= 0", "item.qty < 1"))
    index(shop.writer, root)
    return git(root, "rev-parse", "HEAD"), blob, before["line_total"]


@pytest.mark.parametrize("known", ["blob", "commit"])
def test_an_edited_file_is_taken_from_git(shop: Shop, known: str) -> None:
    commit, blob, expected = edited(shop)
    frame = Frame("/srv/shop/shop/pricing.py", "line_total", 25, "executing")
    facts = RunFacts(
        tool="tracelens",
        started_ns=1_600_000_000 * 10**9,
        blobs=((frame.path, blob),) if known == "blob" else (),
        commit=commit if known == "commit" else "",
    )
    result = aggregated(shop, [Failure("E", "m", (FailureFrame(frame, source="x"),))], facts)
    (key,) = result.profiles
    assert key.scope == "line_total", "joined in the source of then: line 25 is another unit's now"
    assert key.body_hash == expected
    assert expected != {u.scope: u.body_hash for u in shop.index.units_in("shop/pricing.py")}["line_total"]


@pytest.mark.parametrize("commit", ["HEAD", "--help", "-x", "deadbeef" * 5, ""])
def test_a_commit_that_is_none_is_not_asked_for(shop: Shop, commit: str) -> None:
    edited(shop)
    frame = Frame("/srv/shop/shop/pricing.py", "line_total", 27, "executing")
    result = aggregated(shop, [Count(frame, 1)], RunFacts(tool="x", started_ns=1, commit=commit))
    (key,) = result.profiles
    assert key.body_hash == ""


# -- aggregation -----------------------------------------------------------------------------------------------------

FIND = Frame("shop/inventory.py", "find", 8, "first")
RESERVE = Frame("shop/inventory.py", "reserve", 15, "first")
NOTIFY = Frame("shop/service.py", "notify", 26, "first")
SORT = Frame("/usr/lib/python3.12/heapq.py", "sort", 3, "first")
CALLBACK = Frame("/usr/lib/python3.12/heapq.py", "callback", 9, "first")


def aggregated(shop: Shop, records: list[Record], facts: RunFacts | None = None) -> Aggregated:
    facts = facts or RunFacts(tool="x", started_ns=1_700_000_000 * 10**9)
    paths = Paths({path: file.module for path in shop.index.paths() if (file := shop.index.file(path))})
    anchors = Anchors(
        shop.root,
        paths,
        facts,
        lambda path: (file.blob if (file := shop.index.file(path)) else "", shop.index.units_in(path)),
        facts.started_ns,
    )
    state = Aggregate(Joiner(anchors.units, paths), anchors, facts, Report())
    for record in records:
        state.add(record)
    return state.finish()


def units(result: Aggregated) -> dict[str, UnitProfile]:
    return {key.scope.rpartition(".")[2]: profile for key, profile in result.profiles.items()}


def test_values_beyond_the_cap_are_one_honest_row_and_late_favourites_stay(shop: Shop) -> None:
    calls: list[Record] = [
        Call(FIND, 0, 5, arguments=(("sku", Observed("int", str(n), float(n))),), outcome=Returned(None))
        for n in [*range(300), *[299] * 50]
    ]
    rows = units(aggregated(shop, calls))["find"].values
    kept = {row.text: row.n for row in rows}
    assert kept["299"] == 51
    assert sum(kept.values()) == 350
    # Of values that were seen once each, a few are examples enough.
    assert kept[None] == 350 - 51 - MAX_SINGLE


def test_of_many_values_that_repeat_the_most_frequent_are_kept(shop: Shop) -> None:
    calls: list[Record] = [
        Call(FIND, 0, 5, arguments=(("sku", Observed("int", str(n % 100), float(n % 100))),), outcome=Returned(None))
        for n in range(1_000)
    ]
    rows = units(aggregated(shop, calls))["find"].values
    assert len(rows) == MAX_VALUES + 1
    assert sum(row.n for row in rows) == 1_000


def test_a_call_counts_for_as_many_as_it_stands_for(shop: Shop) -> None:
    def call(sku: str, represents: float, outcome: Outcome) -> Call:
        value = Observed("str", sku, size=len(sku))
        return Call(FIND, 0, 5, arguments=(("sku", value),), outcome=outcome, counted=False, represents=represents)

    returned = Returned(Observed("int", "1", 1.0))
    calls: list[Record] = [
        call("'first'", 1.0, returned),
        call("'drawn'", 999.0, returned),
        call("'failing'", 0.0, Raised("KeyError", "")),
        call("'late'", 0.0, returned),
    ]
    rows = {row.text: row for row in units(aggregated(shop, calls))["find"].values if row.slot == "sku"}
    assert (rows["'first'"].n, rows["'drawn'"].n) == (1, 999)
    assert (rows["'failing'"].n, rows["'failing'"].outcome) == (1, "KeyError")
    assert rows["'late'"].n == 0


def test_it_is_known_whether_time_grows_with_what_is_given(shop: Shop) -> None:
    calls: list[Record] = [
        Call(FIND, 0, 1_000 * n, arguments=(("items", Observed("list", "[…]", size=n)),), outcome=Returned(None))
        for n in range(1, 40)
    ]
    aggregated_ = aggregated(shop, calls)
    row = next(row for row in units(aggregated_)["find"].slots)
    assert (row.pairs, row.low, row.high) == (39, 1.0, 39.0)
    assert row.x == sum(range(1, 40))
    assert row.xy == sum(1_000 * n * n for n in range(1, 40))


def test_values_of_two_call_sites_are_told_apart(shop: Shop) -> None:
    def call(line: int, text: str) -> Call:
        value = Observed("str", text, size=len(text))
        caller = Frame("shop/service.py", "OrderService.process", line, "executing")
        return Call(FIND, 0, 5, arguments=(("sku", value),), outcome=Returned(None), caller=caller)

    rows = units(aggregated(shop, [call(13, "'a'"), call(13, "'a'"), call(14, "'b'")]))["find"].sites
    assert sorted((row.caller.scope, row.slot, row.text, row.n) for row in rows) == [
        ("OrderService.process", "sku", "'a'", 2),
        ("OrderService.process", "sku", "'b'", 1),
    ]
    assert len({row.site for row in rows}) == 2


def test_captures_keep_the_first_every_exception_and_a_spread_and_prefer_replayable_ones(shop: Shop) -> None:
    chance = random.Random(1)
    calls: list[Record] = []
    for n in range(2_000):
        outcome = Raised(["KeyError", "ValueError"][n % 2], "m", 11) if n % 97 == 0 else Returned(Observed("int", "1"))
        replay = {"x": n} if chance.random() < 0.05 else None
        calls.append(
            Call(FIND, n, 5, outcome=outcome, id=str(n), replay=replay, arguments=(("a", Observed("int", "1")),))
        )
    profile = units(aggregated(shop, calls))["find"]
    captures = profile.captures
    assert len(captures) <= MAX_CAPTURES
    ids = [int(capture.call) for capture in captures]
    assert ids == sorted(ids)
    assert {1, 2, 3, 4} <= set(ids)
    assert {c.outcome for c in captures} == {"", "KeyError", "ValueError"}
    assert 0 in ids
    assert 97 in ids
    assert 1_940 in ids, "the last KeyError"
    assert sum(bool(c.replay) for c in captures) >= 8
    assert max(i for i, c in zip(ids, captures, strict=True) if not c.outcome) > 500
    assert profile.unit.errors == 21


def test_self_time_is_with_what_was_called_outside_the_workspace(shop: Shop) -> None:
    result = aggregated(
        shop,
        [
            Count(FIND, 1, total_ns=100, self_ns=10),
            Count(RESERVE, 1, total_ns=20, self_ns=20),
            Count(SORT, 1, total_ns=60, self_ns=15),
            EdgeCount(FIND, SORT, 1, total_ns=60, self_ns=15),
            EdgeCount(SORT, CALLBACK, 1, total_ns=45, self_ns=5),
            EdgeCount(CALLBACK, RESERVE, 1, total_ns=20, self_ns=20),
            EdgeCount(FIND, Frame("", "<built-in method len>", 0), 7, total_ns=30, self_ns=30),
        ],
    )
    found = units(result)
    assert found["find"].unit.self_ns == 10 + 30 + 15, "of what leads back into the workspace, its own time alone"
    assert found["reserve"].unit.self_ns == 20


def test_samples_count_recursion_once_and_give_libraries_to_their_caller(shop: Shop) -> None:
    result = aggregated(
        shop,
        [
            Sample((RESERVE, FIND, FIND, SORT), 2.0),
            Sample((RESERVE, SORT), 1.0),
            Sample((SORT,), 4.0),
            Sample((FIND,), 1.0, "seconds"),
        ],
    )
    found = units(result)
    assert (found["find"].unit.samples_total, found["find"].unit.samples_self) == (2.0, 2.0)
    assert (found["reserve"].unit.samples_total, found["reserve"].unit.samples_self) == (3.0, 1.0)
    assert (result.sample_weight, result.sample_unit) == (7.0, "samples")
    assert found["find"].unit.calls == 0


def test_resumes_are_not_calls(shop: Shop) -> None:
    facts = RunFacts(tool="x", calls_are_resumes=True)
    found = units(aggregated(shop, [Count(NOTIFY, 8), Count(FIND, 8)], facts))
    assert (found["notify"].unit.calls, found["notify"].unit.resumes) == (0, 8)
    assert (found["find"].unit.calls, found["find"].unit.resumes) == (8, 0)
    found = units(aggregated(shop, [Count(NOTIFY, 4, resumes=8)]))
    assert (found["notify"].unit.calls, found["notify"].unit.resumes) == (4, 8)


def failure(type_name: str, *frames: tuple[str, str, int]) -> Failure:
    return Failure(
        type_name, "m", tuple(FailureFrame(Frame(p, n, line, "executing")) for p, n, line in frames), at_ns=5
    )


def test_an_exception_has_one_origin_and_passes_through_the_rest(shop: Shop) -> None:
    stack = (
        ("shop/service.py", "process", 16),
        ("shop/inventory.py", "reserve", 18),
        ("/usr/lib/python3.12/x.py", "f", 1),
        ("shop/inventory.py", "find", 13),
        ("/usr/lib/python3.12/x.py", "g", 1),
    )
    found = units(aggregated(shop, [failure("KeyError", *stack)] * 3))
    places = {name: [(f.line, f.n, f.origin, f.last_ns) for f in profile.failures] for name, profile in found.items()}
    assert places == {"find": [(5, 3, True, 5)], "reserve": [(3, 3, False, 5)], "process": [(3, 3, False, 5)]}
    row = found["find"].failures[0]
    assert len(row.statement_hash) == 16
    assert [entry[2] for entry in json.loads(row.stack)] == ["process", "reserve", "f", "find", "g"]
    assert found["find"].unit.errors == 3
    assert found["find"].unit.counting == "at least"


@pytest.mark.parametrize("type_name", ["StopIteration", "GeneratorExit", "asyncio.exceptions.CancelledError"])
def test_the_end_of_a_loop_is_no_failure_unless_somebody_logged_it(shop: Shop, type_name: str) -> None:
    seen = failure(type_name, ("shop/inventory.py", "find", 13))
    assert units(aggregated(shop, [seen])).get("find") is None
    assert units(aggregated(shop, [seen], RunFacts(tool="traceback")))["find"].failures


def test_secrets_by_name_and_by_look_never_reach_a_row(shop: Shop) -> None:
    secret = Observed("str", "'hunter2'", size=7)
    call = Call(
        FIND,
        0,
        1,
        arguments=(("password", secret), ("note", Observed("str", "'mail ann@example.com'"))),
        outcome=Raised("ValueError", "no such user ann@example.com", 3),
        replay={"args": ["ann@example.com"]},
    )
    result = aggregated(shop, [call])
    assert "hunter2" not in repr(result.profiles)
    assert "ann@example" not in repr(result.profiles)
    assert result.redacted >= 3


# -- recordings ------------------------------------------------------------------------------------------------------


def test_the_files_of_all_processes_are_one_run(shop: Shop, tmp_path: Path) -> None:
    from tracelens_recorder import launch

    folder = tmp_path / "recording"
    folder.mkdir()
    options = launch.Options()
    added = launch.environment(str(folder), str(shop.root), options)
    program = "import subprocess, sys; subprocess.run([sys.executable, 'run.py', '20'], check=True); import run"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=shop.root, env={**os.environ, **added}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (folder / "torn").write_bytes(b"")
    summary: ImportSummary = import_recordings(shop, folder, name="run")
    assert summary.run is not None
    assert summary.skipped["recording of a process that cannot be read"] == 1
    assert not summary.frames.unjoined
    assert shop.profile("Warehouse.find").unit.calls >= 57
    assert len(shop.index.runs()) == 1
    assert import_recordings(shop, folder).already_imported


def test_outlines_have_what_the_join_needs() -> None:
    (module, function) = outline(b"def f(a):\n    yield a\n")
    assert (module.kind, function.resumes, function.parameters[0].name) == ("module", True, "a")


def test_a_log_that_began_before_an_edit_does_not_make_the_edit_fresh(shop: Shop, tmp_path: Path) -> None:
    """A log that is still written to is younger than the source; what counts is when it began."""
    log = tmp_path / "long.log"
    log.write_text("2025-01-01 00:00:00,000 INFO start\n" + LOG.read_text())
    touch(shop.root / "shop" / "pricing.py", 1_750_000_000)
    import_file(shop, log)
    assert shop.key("line_total").body_hash == ""
    assert shop.key("OrderService.process").body_hash != ""
    assert shop.run is not None
    assert shop.run.started_ns > 0


def test_in_a_changed_file_the_only_unit_of_a_name_is_still_found(shop: Shop) -> None:
    pricing = shop.root / "shop" / "pricing.py"
    pricing.write_text("# new\n" * 40 + pricing.read_text())
    index(shop.writer, shop.root)
    summary = import_file(shop, SAMPLES / "app.jsonl")
    assert summary.frames.joined == 5
    assert not summary.frames.unjoined
    (failure,) = shop.profile("line_total").failures
    assert failure.line == -1
    assert failure.statement_hash, "the statement is found by its text"


def test_a_recording_of_a_file_that_has_moved_since_is_followed(shop: Shop, tmp_path: Path) -> None:
    source = shop.root / "shop/pricing.py"
    content = source.read_bytes()
    subprocess.run(["git", "init", "-q"], cwd=shop.root, check=True)
    subprocess.run(["git", "add", "shop/pricing.py"], cwd=shop.root, check=True)
    line = next(unit.first_line for unit in outline(content) if unit.scope == "line_total")
    recording = tmp_path / "moved.tlrec"
    write_recording(recording, "shop/pricing.py", "line_total", line, blob_id(content))
    source.rename(shop.root / "shop/prices.py")
    index(shop.writer, shop.root)
    summary = import_file(shop, recording)
    (unit,) = shop.index.find("shop.prices.line_total")
    profile = shop.index.profile(unit.id)
    assert (summary.units, profile and profile.state, profile and profile.calls) == (1, "moved", 7)


@pytest.mark.parametrize("path", ["../outside.py", "/etc/passwd.py", "C:/x.py", "a/../../b.py"])
def test_a_recording_cannot_name_files_outside_the_workspace(shop: Shop, tmp_path: Path, path: str) -> None:
    recording = tmp_path / "odd.tlrec"
    write_recording(recording, path, "secret", 1, "0" * 40)
    assert import_file(shop, recording).units == 0


def write_recording(file: Path, path: str, name: str, line: int, blob: str) -> None:
    frames: list[tuple[int, object]] = [
        (payloads.RUN, {"format": payloads.FORMAT, "started_ns": 1}),
        (payloads.CODES, [[0, path, name, line, 0, blob]]),
        (payloads.COUNTS, [[0, 7, 0, 0, 7, 100, 100, 1, 50, []]]),
        (payloads.END, {}),
    ]
    with file.open("wb") as stream:
        stream.write(container.MAGIC)
        for kind, payload in frames:
            stream.write(container.encode(kind, json.dumps(payload).encode()))
