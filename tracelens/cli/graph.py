"""tracelens graph"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from tracelens.answers.call_hierarchy import Call, incoming, only, outgoing, parts_of
from tracelens.answers.snapshot import IndexSnapshot
from tracelens.cli.workspace import (
    chosen_runs,
    complete_units,
    find_root,
    json_option,
    one_unit,
    open_index,
    print_json,
    root_option,
    runs_option,
    say,
)
from tracelens_indexer.graph import export, networkx_graph
from tracelens_indexer.graph.networkx_graph import Only
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import CallSiteRecord, UnitRecord

_MOST_LINES = 200


@click.command("graph")
@click.argument("unit", required=False, shell_complete=complete_units)
@click.option("--depth", "-d", default=1, show_default=True, type=click.IntRange(1, 8), help="Steps away from it.")
@click.option(
    "--only",
    "which",
    type=click.Choice(["observed", "static", "never-taken"]),
    help="Calls that were seen running; that only the source has; or that a caller never made, which was seen in full.",
)
@click.option(
    "--export",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the graph to a .graphml, .dot or .json file: all of it, or what is within --depth of UNIT.",
)
@runs_option
@root_option
@json_option
def command(
    unit: str | None,
    depth: int,
    which: Only | None,
    file: Path | None,
    run_names: tuple[str, ...],
    root_path: Path | None,
    as_json: bool,
) -> None:
    """Who calls a unit and whom it calls: by the source, by what was seen running, or both.

    \b
      tracelens graph apply_discount
      tracelens graph OrderService.checkout --depth 3 --only observed
      tracelens graph --export calls.graphml
    """
    if unit is None and file is None:
        raise click.UsageError("Name a unit, or a file to --export the whole graph to.")
    root = find_root(root_path)
    with open_index(root) as index:
        if index.graph_is_partial():
            say("the call graph is partial: linking hit one of its bounds, so that calls may be missing")
        found = one_unit(index, unit) if unit is not None else None
        runs = chosen_runs(index, run_names)
        if file is not None:
            _export(index, runs, found, depth, which, file, as_json)
        else:
            assert found is not None
            _show(IndexSnapshot(index, runs), found, depth, which, as_json)


def _export(
    index: Index,
    runs: tuple[int, ...] | None,
    unit: UnitRecord | None,
    depth: int,
    which: Only | None,
    file: Path,
    as_json: bool,
) -> None:
    graph = index.graph(runs)
    if which is not None:
        graph = networkx_graph.only(graph, which)
    if unit is not None:
        graph = networkx_graph.around(graph, unit.id, depth)
    export.write(graph, file)
    if as_json:
        print_json({"file": str(file), "nodes": graph.number_of_nodes(), "edges": graph.number_of_edges()})
    else:
        say(f"{graph.number_of_nodes():,} units and {graph.number_of_edges():,} edges written to {file}")


def _show(snapshot: IndexSnapshot, unit: UnitRecord, depth: int, which: Only | None, as_json: bool) -> None:
    parts = parts_of(snapshot, unit.id)
    open_sites = [s for s in snapshot.sites_in(unit.path) if s.caller.id in parts and s.status != "resolved"]
    callers, callees = _callers(which), _callees(which)
    if as_json:
        print_json(
            {
                "unit": _plain_unit(unit),
                "partial": snapshot.index.graph_is_partial(),
                "callers": _plain(snapshot, callers, unit, depth),
                "callees": _plain(snapshot, callees, unit, depth),
                "not_resolved": [
                    {"line": s.line, "callee": s.callee_text, "status": s.status, "reason": s.reason}
                    for s in open_sites
                ],
            }
        )
        return
    click.echo(f"{unit.qualname}   {unit.path}:{unit.def_line}")
    for title, step in (("called by", callers), ("calls", callees)):
        lines = list(_tree(snapshot, step, unit, depth))
        nothing = "nothing known" if which is None else f"nothing {which.replace('-', ' ')}"
        click.echo(f"{title}{'' if lines else f': {nothing}'}")
        for line in lines[:_MOST_LINES]:
            click.echo(line)
        if len(lines) > _MOST_LINES:
            click.echo(f"  … and {len(lines) - _MOST_LINES} more; --json has all")
    for line in _open_lines(open_sites) if which is None else ():
        click.echo(line)


_Step = Callable[[IndexSnapshot, UnitRecord], list[Call]]


def _callers(which: Only | None) -> _Step:
    def step(snapshot: IndexSnapshot, unit: UnitRecord) -> list[Call]:
        calls = incoming(snapshot, unit.id)
        if which == "never-taken" and unit.kind == "class":
            return []  # nothing of a class without a constructor could have been seen
        return calls if which is None else only(snapshot, calls, which)

    return step


def _callees(which: Only | None) -> _Step:
    def step(snapshot: IndexSnapshot, unit: UnitRecord) -> list[Call]:
        calls = outgoing(snapshot, unit.id)
        return calls if which is None else only(snapshot, calls, which, callees_of=unit)

    return step


def _tree(
    snapshot: IndexSnapshot, step: _Step, unit: UnitRecord, depth: int, path: tuple[int, ...] = ()
) -> Iterator[str]:
    for call in step(snapshot, unit):
        other = call.item.unit
        repeated = other.id in path or other.id == unit.id
        lines = ", ".join(str(line + 1) for line, _ in call.places[:5])
        # The detail starts with the scope, which the qualname beside it says already.
        seen = call.item.detail.partition(" · ")[2]
        where = f" · line {lines}" if lines else ""
        again = " · (again)" if repeated and depth > 1 else ""
        yield f"{'  ' * (len(path) + 1)}{other.qualname}   {seen}{where}{again}"
        if depth > 1 and not repeated:
            yield from _tree(snapshot, step, other, depth - 1, (*path, unit.id))


def _plain(
    snapshot: IndexSnapshot, step: _Step, unit: UnitRecord, depth: int, path: tuple[int, ...] = ()
) -> list[dict[str, Any]]:
    found = []
    for call in step(snapshot, unit):
        other = call.item.unit
        entry = {
            **_plain_unit(other),
            "lines": [line + 1 for line, _ in call.places],
            "seen": call.item.detail,
            "provenance": call.provenance,
            "kinds": call.kinds,
            "confidence": call.confidence,
            "calls": call.calls,
            "counting": call.counting,
        }
        if depth > 1 and other.id not in path and other.id != unit.id:
            entry["next"] = _plain(snapshot, step, other, depth - 1, (*path, unit.id))
        found.append(entry)
    return found


def _plain_unit(unit: UnitRecord) -> dict[str, Any]:
    return {"id": f"u:{unit.id:x}", "qualname": unit.qualname, "path": unit.path, "line": unit.def_line}


def _open_lines(sites: list[CallSiteRecord]) -> Iterator[str]:
    """Call sites without an edge, by what became of them."""
    for status, title in (("external", "outside the workspace"), ("unresolved", "not resolved")):
        found = [site for site in sites if site.status == status]
        if found:
            each = list(dict.fromkeys(f"{site.callee_text} ({site.reason})" for site in found))
            more = f", {len(each) - 8} more" if len(each) > 8 else ""
            yield f"{title}: {', '.join(each[:8])}{more}"
