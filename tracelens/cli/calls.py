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
    root = find_root(root_path)
    with open_index(root) as index:
        found = one_unit(index, unit)
        runs = chosen_runs(index, run_names)
        captures = index.captures(found.id, runs, "*" if failed else None, limit)
        profile = index.profile(found.id, runs)
    if as_json:
        print_json([_plain(capture) for capture in captures])
        return
    if not captures:
        what = "calls that raised" if failed else "calls with values"
        seen = f"; it was called {profile.calls:,} times" if profile and profile.calls else ""
        click.echo(f"no {what} of {found.qualname} were kept{seen}. Values come from: tracelens record -- CMD")
        return
    for capture in captures:
        click.echo(_line(capture))


def _line(capture: CaptureRecord) -> str:
    from tracelens.answers import words

    arguments = ", ".join(
        f"{words.clean(name)}={words.clean(text or f'<{type_name}>')}" for name, type_name, text in capture.arguments
    )
    if capture.outcome:
        message = f": {words.clean(capture.message, words.LONGEST_MESSAGE)}" if capture.message else ""
        outcome = f"✗ {words.type_name(capture.outcome)}{message}"
    elif capture.result:
        outcome = f"→ {words.clean(capture.result[1] or f'<{capture.result[0]}>')}"
    else:
        outcome = "→ ?"
    parts = [f"{capture.id}  {capture.unit.name}({arguments}) {outcome}"]
    if capture.duration_ns >= 0:
        parts.append(words.duration(capture.duration_ns))
    if capture.caller:
        parts.append(f"from {words.clean(capture.caller[1])} {words.clean(capture.caller[0], 80)}:{capture.caller[2]}")
    if capture.test:
        parts.append(words.test_name(capture.test))
    if capture.replay:
        parts.append("replayable")
    return " · ".join(parts)


def _plain(capture: CaptureRecord) -> dict[str, object]:
    record = asdict(capture)
    record["unit"] = capture.unit.qualname
    record["replay"] = capture.replay is not None
    return record
