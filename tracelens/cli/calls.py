"""tracelens calls"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tracelens.cli.workspace import (
    chosen_runs,
    find_root,
    json_option,
    one_unit,
    open_index,
    print_json,
    root_option,
    runs_option,
)
from tracelens_indexer.store.answers import CaptureRecord


@click.command("calls")
@click.argument("unit")
@click.option("--failed", is_flag=True, help="Only calls that raised.")
@click.option("--limit", "-n", default=10, show_default=True, help="How many calls.")
@runs_option
@root_option
@json_option
def command(
    unit: str, failed: bool, limit: int, run_names: tuple[str, ...], root_path: Path | None, as_json: bool
) -> None:
    """Single calls of a unit, with the values that were kept.

    \b
      tracelens calls apply_discount
      tracelens calls apply_discount --failed
    """
    from tracelens.answers import calls, words

    root = find_root(root_path)
    with open_index(root) as index:
        found = one_unit(index, unit)
        runs = chosen_runs(index, run_names)
        captures = index.captures(found.id, runs, "*" if failed else None, limit)
        profile = index.profile(found.id, runs)
    if as_json:
        print_json([_plain(capture) for capture in captures])
        return
    what = "calls that raised" if failed else "calls"
    seen = f" of {words.count(profile.calls, profile.counting)}" if profile and profile.calls else ""
    click.echo(calls.listing(f"{found.qualname}: {len(captures)}{seen} {what}, with their values", captures), nl=False)


def _plain(capture: CaptureRecord) -> dict[str, object]:
    record = asdict(capture)
    record["unit"] = capture.unit.qualname
    record["replay"] = capture.replay is not None
    return record
