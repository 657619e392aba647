"""tracelens hot"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tracelens.cli.terminal import Column, marked, table, terminal_width
from tracelens.cli.workspace import (
    find_root,
    json_option,
    open_index,
    print_json,
    root_option,
    runs_option,
    shown,
    test_option,
)
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import Profile, RunRecord


@click.command("hot")
@click.option("--limit", "-n", default=10, show_default=True, help="How many units.")
@runs_option
@test_option
@root_option
@json_option
def command(limit: int, run_names: tuple[str, ...], test: str, root_path: Path | None, as_json: bool) -> None:
    """Where the time goes: units by their own share of it.

    \b
      tracelens hot
      tracelens hot -n 30 --run pytest
    """
    root = find_root(root_path)
    with open_index(root) as whole:
        index, chosen = shown(whole, run_names, test)
        profiles = index.hot(chosen, limit)
        ids = set(index.current_runs() if chosen is None else chosen)
        runs = [run for run in index.runs() if run.id in ids]
        if as_json:
            print_json({"runs": [run.id for run in runs], "units": [_plain(profile) for profile in profiles]})
            return
        if not profiles:
            click.echo(_nothing(index, runs))
            return
        for line in _lines(profiles, runs):
            click.echo(marked(line))


def _lines(profiles: list[Profile], runs: list[RunRecord]) -> list[str]:
    from tracelens.answers import words
    from tracelens.answers.snapshot import unexpected_here

    rows = [
        (
            words.share(p.self_share, p.share_counting) if p.self_share is not None else "–",
            words.share(p.total_share, p.share_counting) if p.total_share is not None else "–",
            words.count(p.calls, p.counting) if p.calls else _resumes(p.resumes),
            words.duration(p.p50_ns) if p.p50_ns else "–",
            words.clean(p.unit.qualname, 200),
            _errors(p),
        )
        for p in profiles
    ]
    columns = (
        Column("self", "right", style="bold"),
        Column("total", "right"),
        Column("calls", "right"),
        Column("p50", "right"),
        Column("unit", shrinks=True),
        Column("errors", style="red"),
    )
    lines = table(columns, rows, terminal_width())
    legend = _legend(profiles, runs)
    if legend:
        lines.append(f"  {legend}")
    lines += [f"  {line}" for line in _about_runs(profiles, runs)]
    failing = next((p for p in profiles if unexpected_here(p)), profiles[0])
    lines.append(
        f"  next: tracelens show {failing.unit.scope.rpartition('.')[2]} · open {failing.unit.path} in your editor"
    )
    return lines


def _resumes(resumes: int) -> str:
    return f"{resumes:,} resumes" if resumes else "–"


def _errors(profile: Profile) -> str:
    from tracelens.answers import words

    by_type: Counter[str] = Counter()
    for failure in profile.failures:
        if failure.origin:
            by_type[words.type_name(failure.type)] += failure.n
    return ", ".join(f"{n:,} {type_}" for type_, n in by_type.most_common(3)) or "–"


def _legend(profiles: list[Profile], runs: list[RunRecord]) -> str:
    parts = []
    if any(p.share_counting == "estimated" and p.self_share is not None for p in profiles):
        weight = sum(run.sample_weight for run in runs if run.sample_unit == "samples")
        parts.append(f"~ estimated from {weight:,.0f} samples" if weight else "~ estimated from samples")
    if any(p.counting == "at least" for p in profiles):
        parts.append("≥ at least (--exact counts every call)")
    if parts:
        parts.append("plain numbers are exact")
    return " · ".join(parts)


def _about_runs(profiles: list[Profile], runs: list[RunRecord]) -> list[str]:
    from tracelens.answers import words

    states = {p.state for p in profiles}
    state = (
        "all fresh"
        if states == {"fresh"}
        else "; ".join(
            f"{sum(p.state == name for p in profiles)} {words_}"
            for name, words_ in (
                ("fresh", "fresh"),
                ("moved", "moved"),
                ("stale", "changed since recorded"),
                ("unverified", "unverified"),
            )
            if name in states
        )
    )
    shown = [
        " · ".join(
            part
            for part in (
                f'"{words.clean(run.name)}"',
                run.tool if run.tool != "tracelens" else "",
                words.ago(run.started_ns or run.imported_ns),
                f"commit {words.clean(run.commit[:7])}" if run.commit else "",
            )
            if part
        )
        for run in runs[:3]
    ]
    more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    return [f"{'run' if len(runs) == 1 else 'runs'} {'; '.join(shown)}{more} · {state}"]


def _nothing(index: Index, runs: list[RunRecord]) -> str:
    if not index.runs():
        return "nothing was recorded yet. Record: tracelens record -- pytest · or import a trace: tracelens import FILE"
    names = ", ".join(run.name for run in runs[:5])
    return f"the run{'s' if len(runs) > 1 else ''} {names} met no code of this workspace. `tracelens runs` lists them"


def _plain(profile: Profile) -> dict[str, Any]:
    unit = profile.unit
    record = asdict(profile)
    for name in ("unit", "observations", "failures", "tests"):
        del record[name]
    return {
        "unit": f"u:{unit.id:x}",
        "qualname": unit.qualname,
        "path": unit.path,
        "line": unit.def_line,
        **record,
        "failures": [
            {"id": f.id, "type": f.type, "message": f.message, "line": f.line, "n": f.n, "origin": f.origin}
            for f in profile.failures
        ],
    }
