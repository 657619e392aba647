"""The store: what is written is read again, by anybody, after anything."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tracelens_indexer.errors import NoIndex, StoreError
from tracelens_indexer.indexing import index_workspace
from tracelens_indexer.profiles import histogram
from tracelens_indexer.profiles.rows import (
    AnchorKey,
    CaptureRow,
    EdgeRow,
    FailureRow,
    RunRow,
    SiteRow,
    SlotRow,
    UnitProfile,
    UnitRow,
    ValueRow,
)
from tracelens_indexer.store import Index, Layout, Writer

SOURCE = '''\
def price(amount, tier="basic"):
    """What it costs."""
    return amount / rate(tier)


def rate(tier):
    return {"basic": 1, "free": 0}[tier]
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SOURCE)
    index_workspace(tmp_path, searchable=False)
    return tmp_path


def run_row(name: str = "pytest", content: str = "0" * 32, started_ns: int = 1_000) -> RunRow:
    return RunRow(
        name=name,
        tool="tracelens",
        file="x",
        content_hash=content,
        started_ns=started_ns,
        imported_ns=time.time_ns(),
        duration_ns=5_000_000,
        command="pytest -q",
        commit="",
        interpreter="CPython 3.12.1",
        environment="",
        service="",
        redacted=0,
        sample_weight=0.0,
        sample_unit="",
        joined="{}",
        notes="",
    )


def anchor(root: Path, scope: str, body: str | None = None) -> AnchorKey:
    index = Index.open(root)
    (unit,) = [unit for unit in index.units_in("shop.py") if unit.scope == scope]
    index.close()
    return AnchorKey("shop.py", scope, 0, unit.body_hash if body is None else body)


def profile_of(root: Path, calls: int = 10, errors: int = 1) -> dict[AnchorKey, UnitProfile]:
    price, rate = anchor(root, "price"), anchor(root, "rate")
    return {
        price: UnitProfile(
            UnitRow(calls=calls, errors=errors, timed=calls, total_ns=1_000_000, self_ns=600_000, min_ns=5, max_ns=9),
            durations={histogram.bucket(100_000): calls},
            values=[
                ValueRow("amount", "float", "9.99", "", calls - errors),
                ValueRow("amount", "float", "0.5", "ZeroDivisionError", errors),
            ],
            slots=[SlotRow("amount", "float", calls, 0.5, 9.99, "value")],
            edges=[EdgeRow(rate, 2, calls, "exact", 400_000)],
            failures=[FailureRow("ZeroDivisionError", 2, "abc", "division by zero", errors, 77, True, "[]", "t::a")],
            captures=[CaptureRow("1", 1, 2, "ZeroDivisionError", '{"arguments": [["amount", "float", "0.5"]]}', "{}")],
            tests={"t::a": calls},
        ),
        rate: UnitProfile(UnitRow(calls=calls, timed=calls, total_ns=400_000, self_ns=400_000)),
    }


def test_there_is_no_index_where_none_was_made(tmp_path: Path) -> None:
    with pytest.raises(NoIndex, match="tracelens index"):
        Index.open(tmp_path)


def test_a_profile_comes_back_with_all_its_rows(root: Path) -> None:
    with Writer(root) as writer:
        assert writer.add_run(run_row(), profile_of(root)) == 1
    index = Index.open(root)
    (unit,) = index.find("price")
    profile = index.profile(unit.id)
    assert profile is not None
    assert (profile.calls, profile.errors, profile.state, profile.counting) == (10, 1, "fresh", "exact")
    assert profile.p50_ns == pytest.approx(100_000, rel=0.02)
    assert profile.self_share == pytest.approx(0.6)
    assert [value.text for value in profile.observations[0].values] == ["9.99", "0.5"]
    assert profile.tests == (("t::a", 10),)
    (failure,) = profile.failures
    assert (failure.line, failure.n, failure.calls, failure.origin) == (3, 1, 10, True)
    assert index.failure(failure.id) == failure
    assert index.failure(failure.id[:5]) == failure
    (capture,) = index.captures(unit.id, outcome="*")
    assert capture.arguments == (("amount", "float", "0.5"),)
    assert index.capture(capture.id) == capture
    (edge,) = index.observed_callees(unit.id)
    assert (edge.unit.scope, edge.calls, edge.site_line) == ("rate", 10, 3)
    (caller,) = index.observed_callers(edge.unit.id)
    assert caller.unit.scope == "price"
    assert [p.unit.scope for p in index.hot()] == ["price", "rate"]


def test_the_same_content_is_stored_once(root: Path) -> None:
    with Writer(root) as writer:
        assert writer.add_run(run_row(), profile_of(root)) is not None
        assert writer.add_run(run_row(), profile_of(root)) is None
    assert len(Index.open(root).runs()) == 1


def test_runs_add_up_unless_they_repeat_each_other(root: Path) -> None:
    with Writer(root) as writer:
        writer.add_run(run_row(content="1" * 32, started_ns=1), profile_of(root, calls=10))
        writer.add_run(run_row(content="2" * 32, started_ns=2), profile_of(root, calls=20))
        writer.add_run(run_row("prod", content="3" * 32, started_ns=3), profile_of(root, calls=5))
    index = Index.open(root)
    (unit,) = index.find("price")
    shown = index.profile(unit.id)
    assert shown is not None and shown.calls == 25, "the later pytest replaces the earlier, prod adds to it"
    every = index.profile(unit.id, [run.id for run in index.runs()])
    assert every is not None and every.calls == 35


def state_of(root: Path) -> dict[str, tuple[str, int]]:
    index_workspace(root, searchable=False)
    index = Index.open(root)
    try:
        found = {p.unit.qualname: (p.state, p.calls) for p in index.hot()}
    finally:
        index.close()
    return found


def test_data_follows_the_code(root: Path) -> None:
    with Writer(root) as writer:
        writer.add_run(run_row(), profile_of(root))
    path = root / "shop.py"

    path.write_text('"""New docstring."""\n\n# a comment\n' + SOURCE.replace("amount / rate", "amount  /  rate"))
    assert state_of(root)["shop.price"] == ("fresh", 10), "formatting and place make nothing stale"

    path.write_text(SOURCE.replace("amount / rate", "amount * rate"))
    assert state_of(root) == {"shop.price": ("stale", 10), "shop.rate": ("fresh", 10)}

    path.write_text(SOURCE.replace("def price", "def cost"))
    assert state_of(root)["shop.cost"] == ("moved", 10)

    (root / "pkg").mkdir()
    (root / "pkg" / "__init__.py").touch()
    (root / "pkg" / "money.py").write_text(SOURCE)
    path.unlink()
    assert state_of(root) == {"pkg.money.price": ("moved", 10), "pkg.money.rate": ("moved", 10)}

    path.write_text(SOURCE)
    assert state_of(root)["shop.price"] == ("fresh", 10), "back where it was"


def test_what_was_before_an_edit_is_not_counted_with_what_is_after(root: Path) -> None:
    with Writer(root) as writer:
        writer.add_run(run_row("log", content="1" * 32), profile_of(root, calls=10))
    (root / "shop.py").write_text(SOURCE.replace("amount / rate", "amount * rate"))
    index_workspace(root, searchable=False)
    assert [f.state for f in Index.open(root).failures()] == ["stale"]
    with Writer(root) as writer:
        writer.add_run(run_row(content="2" * 32), {anchor(root, "price"): UnitProfile(UnitRow(calls=7))})
    assert state_of(root) == {"shop.price": ("fresh", 7), "shop.rate": ("fresh", 10)}
    index = Index.open(root)
    assert index.failures() == [] and index.captures(index.find("price")[0].id) == []
    before = index.profile(index.find("price")[0].id, [1])
    assert before is not None and (before.state, before.calls) == ("stale", 10), "still there when asked for"


def test_what_is_not_known_is_unverified(root: Path) -> None:
    with Writer(root) as writer:
        writer.add_run(run_row(), {anchor(root, "price", body=""): UnitProfile(UnitRow(calls=1))})
    assert state_of(root) == {"shop.price": ("unverified", 1)}


@pytest.mark.parametrize("damage", ["garbage", "truncated", "other version", "empty"])
def test_an_unusable_database_is_rebuilt_and_keeps_its_runs(root: Path, damage: str) -> None:
    with Writer(root) as writer:
        writer.add_run(run_row(), profile_of(root))
    database = Layout(root).database
    if damage == "garbage":
        database.write_bytes(os.urandom(50_000))
    elif damage == "truncated":
        database.write_bytes(database.read_bytes()[: database.stat().st_size // 2 + 100])
    elif damage == "empty":
        database.write_bytes(b"")
    else:
        import sqlite3

        connection = sqlite3.connect(database)
        connection.execute("PRAGMA user_version = 9999")
        connection.close()
    for name in ("index.db-wal", "index.db-shm"):
        (root / ".tracelens" / name).unlink(missing_ok=True)
    with pytest.raises(StoreError, match="tracelens index"):
        Index.open(root).hot()
    said: list[str] = []
    index_workspace(root, said=said.append, searchable=False)
    assert any("rebuilt, 1 run kept" in line for line in said), said
    assert state_of(root)["shop.price"] == ("fresh", 10)


def test_a_store_that_came_with_the_repository_is_not_read(root: Path) -> None:
    for command in (["init", "-q"], ["add", "-f", ".tracelens/index.db"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    with pytest.raises(StoreError, match="git rm"):
        Index.open(root)
    with pytest.raises(StoreError, match="git rm"), Writer(root):
        pass


def test_the_store_is_private_and_ignores_itself(root: Path) -> None:
    folder = root / ".tracelens"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"


def test_a_second_writer_waits_and_says_for_whom(root: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from tracelens_indexer.store import Writer\n"
            f"with Writer(Path({str(root)!r})):\n    print('held', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout and holder.stdin
    assert holder.stdout.readline() == "held\n"
    said: list[str] = []

    def release(line: str) -> None:
        said.append(line)
        assert holder.stdin
        holder.stdin.close()

    with Writer(root, release):
        pass
    assert holder.wait(10) == 0
    assert len(said) == 1 and f"pid {holder.pid}" in said[0]


def test_a_killed_writer_leaves_the_store_whole(root: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from tracelens_indexer.store import Writer\n"
        f"with Writer(Path({str(root)!r})) as w, w.transaction():\n"
        "    w.replace_files([], ['shop.py']); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    index = Index.open(root)
    assert index.paths() == ["shop.py"]
    with Writer(root):
        pass


def test_an_index_can_be_read_where_nothing_can_be_written(root: Path) -> None:
    index_workspace(root, searchable=False)
    code = (
        "import os, sys; os.setgid(65534); os.setuid(65534)\n" if os.geteuid() == 0 else ""
    ) + "from pathlib import Path; from tracelens_indexer.store.database import open_for_reading\n"
    folder = root / ".tracelens"
    for name in ("index.db-wal", "index.db-shm"):
        (folder / name).unlink(missing_ok=True)
    folder.chmod(0o555)
    try:
        # The interpreter and our packages may lie where the other user cannot read: import first.
        code = "from pathlib import Path\nfrom tracelens_indexer.store.database import open_for_reading\n" + code
        code += f"database = open_for_reading(Path({str(folder / 'index.db')!r}))\n"
        code += "print(database.execute('select count(*) from files').fetchone()[0])"
        for parent in (root, *root.parents):
            if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o055)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "1", done.stderr
    finally:
        folder.chmod(0o700)


def test_what_another_version_hashed_is_unverified_not_stale(root: Path) -> None:
    key = anchor(root, "price", "0:0123456789abcdef0123456789abcdef")
    with Writer(root) as writer:
        writer.add_run(run_row(), {key: UnitProfile(UnitRow(calls=3))})
    index = Index.open(root)
    profile = index.profile(index.find("price")[0].id)
    assert profile is not None
    assert (profile.state, profile.calls) == ("unverified", 3)


def test_repeated_callees_and_values_by_site_come_back(root: Path) -> None:
    price, rate = anchor(root, "price"), anchor(root, "rate")
    profiles = {
        price: UnitProfile(UnitRow(calls=2), edges=[EdgeRow(rate, 2, 12, "exact", 400, most=9, repeats=1)]),
        rate: UnitProfile(
            UnitRow(calls=12),
            values=[ValueRow("tier", "str", "'gold'", "", 12)],
            sites=[SiteRow(price, 1, "tier", "'gold'", 11), SiteRow(price, 2, "tier", None, 1)],
        ),
    }
    with Writer(root) as writer:
        writer.add_run(run_row(), profiles)
    index = Index.open(root)
    (caller,), (callee,) = index.find("price"), index.find("rate")
    (edge,) = index.observed_callees(caller.id)
    assert (edge.most, edge.repeats) == (9, 1)
    profile = index.profile(callee.id)
    assert profile is not None
    assert [(site.caller.id, site.site_line, site.slot, site.values) for site in profile.sites] == [
        (caller.id, caller.first_line + 1, "tier", (("'gold'", 11),)),
        (caller.id, caller.first_line + 2, "tier", ((None, 1),)),
    ]


def test_two_tools_that_counted_the_same_program_are_not_added_up(root: Path) -> None:
    with Writer(root) as writer:
        ours = writer.add_run(run_row(), profile_of(root, calls=10))
        theirs = writer.add_run(
            replace(run_row(), tool="pstats", name="shop.pstats", content_hash="f" * 32), profile_of(root, calls=10)
        )
    index = Index.open(root)
    (unit,) = index.find("price")
    profile = index.profile(unit.id)
    assert profile is not None
    tool = index.runs()[0].tool if ours == index.runs()[0].id else index.runs()[1].tool
    assert (tool, profile.calls, profile.errors, profile.timed) == (run_row().tool, 10, 1, 10)
    assert (set(profile.runs), profile.not_added) == ({ours, theirs}, (theirs,))
    assert profile.self_share == pytest.approx(0.6)
    (edge,) = index.observed_callees(unit.id)
    assert edge.calls == 10
