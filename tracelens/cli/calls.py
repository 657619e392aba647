"""tracelens calls"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tracelens.cli.workspace import (
    complete_units,
    find_root,
    json_option,
    one_unit,
    open_index,
    print_json,
    root_option,
    runs_option,
    shown,
    test_option,
)
from tracelens_indexer.store.answers import CaptureRecord


@click.command("calls")
@click.argument("unit", shell_complete=complete_units)
@click.option("--failed", is_flag=True, help="Only calls that raised.")
@click.option("--where", "condition", metavar="CONDITION", help="Only calls for which this holds, such as: qty < 0")
@click.option("--limit", "-n", default=10, show_default=True, help="How many calls.")
@runs_option
@test_option
@root_option
@json_option
def command(
    unit: str,
    failed: bool,
    condition: str | None,
    limit: int,
    run_names: tuple[str, ...],
    test: str,
    root_path: Path | None,
    as_json: bool,
) -> None:
    """Single calls of a unit, with the values that were kept.

    \b
      tracelens calls apply_discount
      tracelens calls apply_discount --failed
      tracelens calls apply_discount --where "price < 5 and tier in ['gold', None]"
      tracelens calls checkout --where "dur > 5ms or outcome != returned"
      tracelens calls checkout --where "request == '4f2c' or 'vip' in tags"

    In a condition stand parameters, return, dur, outcome (returned, or the exception), test, request, route, task,
    user, tags, kind (what the program said of its work), type(x), len(x), numbers, durations like 5ms, 'texts',
    True, False, None, lists; < <= > >= == != in, not in, is; and, or, not.
    """
    from tracelens.answers import calls, words
    from tracelens.answers.snapshot import IndexSnapshot

    root = find_root(root_path)
    with open_index(root) as whole:
        found = one_unit(whole, unit)
        index, runs = shown(whole, run_names, test)
        outcome = "*" if failed else None
        matching = calls.matching(IndexSnapshot(index, runs), found, condition, outcome, limit) if condition else None
        captures = list(matching.calls) if matching else index.captures(found.id, runs, outcome, limit)
        profile = index.profile(found.id, runs)
    if as_json:
        print_json([_plain(capture) for capture in captures])
        return
    if matching and matching.looked_at:
        title = f"{found.qualname}: {matching.about}{f', the first {limit}' if matching.matched > limit else ''}"
        click.echo(calls.listing(title, captures, some_kept=True), nl=False)
        return
    what = "calls that raised" if failed else "calls"
    seen = f" of {words.count(profile.calls, profile.counting)}" if profile and profile.calls else ""
    click.echo(calls.listing(f"{found.qualname}: {len(captures)}{seen} {what}, with their values", captures), nl=False)


def _plain(capture: CaptureRecord) -> dict[str, object]:
    record = asdict(capture)
    record["unit"] = capture.unit.qualname
    record["replay"] = capture.replay is not None
    return record
