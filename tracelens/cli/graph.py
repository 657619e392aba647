"""tracelens graph"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from tracelens.answers.call_hierarchy import Call, incoming, outgoing
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
)
from tracelens_indexer.store.answers import CallSiteRecord, UnitRecord

_MOST_LINES = 200


@click.command("graph")
@click.argument("unit", shell_complete=complete_units)
@click.option("--depth", "-d", default=1, show_default=True, type=click.IntRange(1, 8), help="Steps away from it.")
@runs_option
@root_option
@json_option
def command(unit: str, depth: int, run_names: tuple[str, ...], root_path: Path | None, as_json: bool) -> None:
    """Who calls a unit and whom it calls: by the source, by what was seen running, or both.

    \b
      tracelens graph apply_discount
      tracelens graph OrderService.checkout --depth 3
    """
    root = find_root(root_path)
    with open_index(root) as index:
        found = one_unit(index, unit)
        snapshot = IndexSnapshot(index, chosen_runs(index, run_names))
        open_sites = [s for s in index.sites_in(found.path) if s.caller.id == found.id and s.status != "resolved"]
        if as_json:
            print_json(
                {
                    "unit": _plain_unit(found),
                    "callers": _plain(snapshot, incoming, found, depth),
                    "callees": _plain(snapshot, outgoing, found, depth),
                    "not_resolved": [
                        {"line": s.line, "callee": s.callee_text, "status": s.status, "reason": s.reason}
                        for s in open_sites
                    ],
                }
            )
            return
        click.echo(f"{found.qualname}   {found.path}:{found.def_line}")
        for title, step in (("called by", incoming), ("calls", outgoing)):
            lines = list(_tree(snapshot, step, found, depth))
            click.echo(f"{title}{'' if lines else ': nothing known'}")
            for line in lines[:_MOST_LINES]:
                click.echo(line)
            if len(lines) > _MOST_LINES:
                click.echo(f"  … and {len(lines) - _MOST_LINES} more; --json has all")
        for line in _open_lines(open_sites):
            click.echo(line)


_Step = Callable[[IndexSnapshot, int], list[Call]]


def _tree(
    snapshot: IndexSnapshot, step: _Step, unit: UnitRecord, depth: int, path: tuple[int, ...] = ()
) -> Iterator[str]:
    for call in step(snapshot, unit.id):
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
    for call in step(snapshot, unit.id):
        other = call.item.unit
        entry = {**_plain_unit(other), "lines": [line + 1 for line, _ in call.places], "seen": call.item.detail}
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
            told = ", ".join(f"{site.callee_text} ({site.reason})" for site in found[:8])
            more = f", {len(found) - 8} more" if len(found) > 8 else ""
            yield f"{title}: {told}{more}"
