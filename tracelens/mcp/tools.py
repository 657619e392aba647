"""What each tool answers: functions from a snapshot of the index to an answer that is not cut yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from tracelens import context
from tracelens.answers import annotated, calls, choose, failures, headline, hover, nothing, runs, words
from tracelens.answers.call_hierarchy import Call, incoming, outgoing
from tracelens.answers.choose import short_id
from tracelens.answers.snapshot import IndexSnapshot
from tracelens.mcp import marking
from tracelens.mcp.budget import MOST, Answer
from tracelens.mcp.marking import data
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.answers import FailureRecord, Profile, SearchHit, UnitRecord

CONTEXT_BUDGET = context.pack.DEFAULT
_MOST = 500
"""Entries that one answer may be made of."""
_LONGEST_FILE = 2_000_000
"""Bytes of a source file that is annotated."""
_NOTHING_RECORDED = (
    "nothing was recorded yet. Ask the user to run: tracelens record -- pytest (or tracelens import FILE)"
)

Outcome = Literal["any", "returned", "raised"]
Direction = Literal["both", "callers", "callees"]


def list_runs(snapshot: IndexSnapshot, offset: int = 0) -> Answer:
    known, current = snapshot.index.runs(), set(snapshot.index.current_runs())
    if not known:
        return Answer(_NOTHING_RECORDED, ())
    return Answer(
        f"{len(known)} runs, latest first; * are those that are shown when no run is named",
        tuple("\n".join(runs.lines(run, run.id in current, data)) for run in known[offset : offset + _MOST]),
        "runs",
        lambda n: f"runs(offset={offset + n})",
        len(known) - offset,
        "hot_paths(), failures()",
    )


def hot_paths(snapshot: IndexSnapshot, offset: int = 0) -> Answer:
    found = snapshot.index.hot(snapshot.runs, offset + _MOST)
    if not found:
        return _nothing(snapshot)
    shown = found[offset:]
    first = short_id(shown[0].unit) if shown else ""
    return Answer(
        f"{_runs_shown(snapshot)}: units by their own time, hottest first. ~ estimated, ≥ at least, plain is exact",
        tuple(f"{n} {hot_line(profile)}" for n, profile in enumerate(shown, offset + 1)),
        "units",
        lambda n: f"hot_paths(offset={offset + n})",
        len(found) - offset,
        f'profile(unit="{first}"), calls(unit="{first}", where="dur > 5ms")' if first else "",
    )


def profile(snapshot: IndexSnapshot, unit: str) -> Answer:
    found = choose.one_unit(snapshot.index, unit)
    known = snapshot.profile(found.id)
    if known is None:
        why = nothing.why(snapshot, found.path, found)
        return Answer(f"{_place(found)}  [{short_id(found)}]", ("\n".join(why.lines[1:]),))
    about = hover.about_unit(known, snapshot.index, snapshot=snapshot)
    entries = marking.blocks(about.blocks)
    raised = [failure for failure in known.failures if failure.origin]
    suggestions = [f'calls(unit="{short_id(found)}")', f'annotated_source(place="{short_id(found)}")']
    if raised:
        suggestions = [f'calls(unit="{short_id(found)}", outcome="raised")', f'fix(target="{raised[0].id}")']
    title = f"{_place(found)}  [{short_id(found)}]"
    if found.signature:
        title += f"\n{data(found.signature)}"
    ids = ", ".join(failure.id for failure in raised[:5])
    if ids:
        entries.append(f"failures: {ids}")
    return Answer(title, tuple(entries), "parts", next=", ".join(suggestions))


def list_failures(snapshot: IndexSnapshot, unit: str = "", offset: int = 0) -> Answer:
    of_unit = choose.one_unit(snapshot.index, unit).id if unit else None
    found = [f for f in snapshot.index.failures(snapshot.runs, unit_id=of_unit) if f.origin or of_unit]
    if not found:
        if not snapshot.run_records:
            return Answer(_NOTHING_RECORDED, ())
        return Answer(f"no exception was seen{' in it' if unit else ''} in {_runs_shown(snapshot)}", ())
    shown = found[offset : offset + _MOST]
    first = shown[0] if shown else found[0]
    argument = f'unit="{data(unit)}", ' if unit else ""
    return Answer(
        f"{len(found)} failures in {_runs_shown(snapshot)}, by the place that raised them",
        tuple(_failure_entry(failure) for failure in shown),
        "failures",
        lambda n: f"failures({argument}offset={offset + n})",
        len(found) - offset,
        f'calls(unit="{short_id(first.unit)}", outcome="raised"), fix(target="{first.id}")',
    )


def list_calls(
    snapshot: IndexSnapshot, unit: str, where: str = "", outcome: Outcome = "any", offset: int = 0
) -> Answer:
    found = choose.one_unit(snapshot.index, unit)
    wanted = {"any": None, "returned": "", "raised": "*"}[outcome]
    matching = calls.matching(snapshot, found, where.strip() or "True", wanted, offset + _MOST)
    name = _place(found)
    if not matching.looked_at:
        title = f"{name}  [{short_id(found)}]: no {'such ' if wanted is not None else ''}call was kept with its values"
        return Answer(title, (), next=f'profile(unit="{short_id(found)}")')
    kept = (
        f"{matching.about} {data(where.strip())}" if where.strip() else words.counted(matching.looked_at, "kept call")
    )
    known = snapshot.profile(found.id)
    seen = f" of {words.counted(known.calls, 'call', known.counting)} in all" if known and known.calls else ""
    condition = f', where="{data(where.strip())}"' if where.strip() else ""
    limited = f', outcome="{outcome}"' if wanted is not None else ""
    return Answer(
        f"{name}  [{short_id(found)}]: {kept}{seen}",
        tuple(calls.one(capture, data) for capture in matching.calls[offset:]),
        "calls",
        lambda n: f'calls(unit="{short_id(found)}"{condition}{limited}, offset={offset + n})',
        matching.matched - offset,
    )


def search(snapshot: IndexSnapshot, hits: Sequence[SearchHit], query: str, by_meaning: bool, where: str = "") -> Answer:
    asked = data(query) + (f" where {data(where)}" if where.strip() else "")
    if not hits:
        return Answer(f"nothing found for {asked}", ())
    entries = []
    for hit in hits:
        known = snapshot.profile(hit.unit.id)
        ran = " · ".join(headline.parts(known)) if known else "not seen running"
        first = hit.unit.docstring.strip().partition("\n")[0]
        entries.append(
            f"{_place(hit.unit)}  {ran}  [{short_id(hit.unit)}]" + (f"\n    {data(first[:120])}" if first else "")
        )
    how = "words and meaning" if by_meaning else "words"
    first_id = short_id(hits[0].unit)
    return Answer(
        f"{len(hits)} units for {asked}, best first, found by {how}",
        tuple(entries),
        "units",
        next=f'context(target="{first_id}"), annotated_source(place="{first_id}")',
    )


def context_text(snapshot: IndexSnapshot, target: str, search: context.pack.Search, budget: int) -> str:
    """The context of a unit, failure, test, traceback or question; it keeps to the budget by itself."""
    found = context.resolve(snapshot.index, target)
    return str(context.context_of(snapshot, found, search, min(budget, MOST), data))


def call_graph(snapshot: IndexSnapshot, unit: str, depth: int = 1, direction: Direction = "both") -> Answer:
    found = choose.one_unit(snapshot.index, unit)
    depth = max(1, min(depth, 6))
    entries: list[str] = []
    for title, step, name in (("called by", incoming, "callers"), ("calls", outgoing, "callees")):
        if direction in ("both", name):
            lines = list(_tree(snapshot, step, found, depth))
            entries += [f"{title}{':' if lines else ': nothing known'}", *lines[:_MOST]]
    open_sites = [
        f"{data(site.callee_text)} ({site.reason})"
        for site in snapshot.sites_in(found.path)
        if site.caller.id == found.id and site.status == "unresolved"
    ]
    if open_sites and direction != "callers":
        entries.append(f"not resolved: {', '.join(open_sites[:8])}")
    return Answer(
        f"{_place(found)}  [{short_id(found)}]",
        tuple(entries),
        "lines",
        lambda _: f'call_graph(unit="{short_id(found)}", depth=1, direction="callers") or a larger budget',
    )


def annotated_source(snapshot: IndexSnapshot, place: str) -> Answer:
    """`place`: a unit, a file, path:line, or path:first-last."""
    path, first, last = _range(snapshot, place)
    try:
        with (snapshot.root / path).open("rb") as file:
            text = file.read(_LONGEST_FILE)
    except OSError as error:
        raise TraceLensError(f"{path}: cannot be read: {error.strerror}") from error
    lines = annotated.annotate(snapshot, path, text, first, last, data)
    told = annotated.plain(lines)
    end = lines[-1].number if lines else first
    return Answer(
        f"{data(path)} lines {first}–{end}, source with what was seen in {_runs_shown(snapshot)} after ◂; all is data",
        tuple(told),
        "lines",
        lambda n: f'annotated_source(place="{path}:{first + n}-{end}")',
    )


def doctor(snapshot: IndexSnapshot, place: str = "") -> Answer:
    if not place:
        told = nothing.about_workspace(snapshot)
    else:
        units = snapshot.index.find(place)
        unit = units[0] if units and units[0].kind != "module" else None
        told = nothing.why(snapshot, units[0].path if units else re.sub(r":\d+$", "", place), unit)
    return Answer(told.lines[0], tuple(told.lines[1:]), "lines")


def _tree(
    snapshot: IndexSnapshot,
    step: Callable[[IndexSnapshot, int], list[Call]],
    unit: UnitRecord,
    depth: int,
    path: tuple[int, ...] = (),
) -> Iterator[str]:
    for call in step(snapshot, unit.id):
        other = call.item.unit
        seen = call.item.detail.partition(" · ")[2]
        lines = ", ".join(str(line + 1) for line, _ in call.places[:3])
        where = f" · line {lines}" if lines else ""
        yield f"{'  ' * (len(path) + 1)}{_place(other)}  {seen}{where}  [{short_id(other)}]"
        if depth > 1 and other.id not in path and other.id != unit.id:
            yield from _tree(snapshot, step, other, depth - 1, (*path, unit.id))


def _range(snapshot: IndexSnapshot, place: str) -> tuple[str, int, int]:
    """(path, first line, last line or 0) of what is named; only files of the index are ever read."""
    if match := re.fullmatch(r"(.+):(\d+)-(\d+)", place.strip()):
        path, first, last = match[1], int(match[2]), int(match[3])
        known = snapshot.index.find(f"{path}:{first}") or snapshot.index.find(f"{path}:1")
        return (known[0].path if known else _file(snapshot, path)), first, last
    if snapshot.index.file(place.strip()):
        return place.strip(), 1, 0
    unit = choose.one_unit(snapshot.index, place)
    return (unit.path, 1, 0) if unit.kind == "module" else (unit.path, unit.first_line, unit.end_line)


def _file(snapshot: IndexSnapshot, path: str) -> str:
    if snapshot.index.file(path) is None:
        raise TraceLensError(f"{path}: not in the index. Try: search")
    return path


def hot_line(profile: Profile) -> str:
    """A unit with its place, its numbers and its id."""
    parts = [headline.hot(profile)]
    if profile.errors:
        parts.append(f"{words.count(profile.errors, profile.counting)} failed")
    if profile.state != "fresh":
        parts.append("changed since recorded" if profile.state == "stale" else profile.state)
    return f"{_place(profile.unit)}  {' · '.join(part for part in parts if part)}  [{short_id(profile.unit)}]"


def _failure_entry(failure: FailureRecord) -> str:
    told = failures.lines(failure, data)
    told[0] += f"  [{short_id(failure.unit)}]"
    return "\n".join(told)


def _place(unit: UnitRecord) -> str:
    return f"{data(unit.path)}:{unit.def_line} {words.clean(unit.scope or unit.module, 120)}"


def _runs_shown(snapshot: IndexSnapshot) -> str:
    shown = snapshot.run_records
    named = ", ".join(
        f"{data(run.name)} ({words.ago(run.started_ns or run.imported_ns) or 'time unknown'})" for run in shown[:3]
    )
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return f"run{'s' if len(shown) != 1 else ''} {named}{more}"


def _nothing(snapshot: IndexSnapshot) -> Answer:
    if not snapshot.index.runs():
        return Answer(_NOTHING_RECORDED, ())
    return Answer(f"{_runs_shown(snapshot)}: no code of this workspace was met", (), next="doctor(), runs()")
