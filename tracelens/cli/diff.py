"""tracelens diff"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelens.cli.workspace import (
    chosen_runs,
    complete_runs,
    find_root,
    json_option,
    open_index,
    print_json,
    root_option,
)
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.answers import FailureRecord, UnitRecord

if TYPE_CHECKING:
    from tracelens.answers.diff import Diff, Edge, Speed


@click.command("diff")
@click.argument("before", metavar="RUN_A", shell_complete=complete_runs)
@click.argument("after", metavar="RUN_B", shell_complete=complete_runs)
@click.option("--limit", "-n", default=20, show_default=True, help="How many lines of each kind.")
@root_option
@json_option
def command(before: str, after: str, limit: int, root_path: Path | None, as_json: bool) -> None:
    """What run B shows otherwise than run A: slower, new failures, changed values, new and vanished calls.

    Runs are ids or names of `tracelens runs`, or words as for --run, of which the latest is taken. Ids, addresses,
    times of day and counts alone are not differences.

    \b
      tracelens diff 3 4
      tracelens diff 3 latest --json
      tracelens diff env:staging env:production
    """
    from tracelens.answers import diff

    with open_index(find_root(root_path)) as index:
        runs = {run.id: run for run in index.runs()}
        a, b = ((chosen_runs(index, (one,)) or (0,))[0] for one in (before, after))
        if a == b:
            raise TraceLensError(f"{before} and {after} are the same run; `tracelens runs` lists all, with their ids")
        found = diff.compare(index, runs[a], runs[b])
    if as_json:
        print_json(_plain(found))
        return
    for line in diff.lines(found, limit):
        click.echo(line)


def _plain(found: Diff) -> dict[str, Any]:
    def speeds(items: Iterable[Speed]) -> list[dict[str, Any]]:
        return [{**_unit(s.unit), "what": s.what, "before_ns": s.before_ns, "after_ns": s.after_ns} for s in items]

    def failures(items: Iterable[FailureRecord]) -> list[dict[str, Any]]:
        return [{"id": f.id, "type": f.type, "message": f.message, "line": f.line, **_unit(f.unit)} for f in items]

    def edges(items: Iterable[Edge]) -> list[dict[str, Any]]:
        return [{"caller": _unit(edge.caller), "callee": _unit(edge.callee)} for edge in items]

    return {
        "before": found.before.id,
        "after": found.after.id,
        "same_tool": found.same_tool,
        "overall": found.overall,
        "slower": speeds(found.slower),
        "faster": speeds(found.faster),
        "new_failures": failures(found.new_failures),
        "gone_failures": failures(found.gone_failures),
        "values": [{**_unit(value.unit), "slot": value.slot, "told": value.told} for value in found.values],
        "new_calls": edges(found.new_edges),
        "gone_calls": edges(found.gone_edges),
        "new_units": [_unit(unit) for unit in found.new_units],
        "gone_units": [_unit(unit) for unit in found.gone_units],
    }


def _unit(unit: UnitRecord) -> dict[str, Any]:
    return {"unit": f"u:{unit.id:x}", "qualname": unit.qualname, "path": unit.path}
