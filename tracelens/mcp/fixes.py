"""Proposed fixes as an agent reads them: verdicts first, then the patches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelens.answers import words
from tracelens.mcp.budget import Answer
from tracelens.mcp.marking import data

_APPLIED_BY = {"fixed": "--apply", "stops": "--apply --choose 1"}
"""What the command takes, by its verdict; it refuses all others."""


def about(report: Mapping[str, Any], target: str) -> Answer:
    """From what `tracelens fix --json` says. Nothing of it was applied."""
    fixes = report["fixes"]
    proved = [fix for fix in fixes if fix["verdict"]["kind"] == "fixed"] or fixes
    entries = [_entry(number, fix) for number, fix in enumerate(proved, 1)]
    if report.get("cause"):
        entries.append(_cause(report["cause"]))
    entries += [words.clean(note, 300) for note in report["notes"]]
    where = f"in {words.clean(report['unit'], 200)}"
    if fixes:
        sandbox = f", sandbox: {report['sandbox']}" if report["sandbox"] else ""
        title = f"{report['failure']} {words.type_name(report['type'])} {where}: {len(proved)} proposed{sandbox}"
        after = "nothing was applied: edit the file"
        how = _APPLIED_BY.get(proved[0]["verdict"]["kind"])
        if how is not None:
            after += f", or let the user run: tracelens fix {report['failure']} {how}"
    else:
        title = (
            f"{report['failure']} {words.type_name(report['type'])} {where}: no fix was found ({report['tried']} tried)"
        )
        after = (
            f'calls(unit="{data(report["unit"])}", outcome="raised"), annotated_source(place="{data(report["unit"])}")'
        )
    return Answer(title, tuple(entries), "parts", next=after)


def _cause(cause: Mapping[str, Any]) -> str:
    told = [f"cause: {cause['kind']}: {data(cause['why'])} [{', '.join(cause['evidence'][:3])}]"]
    told += [f"   {data(line)}" for line in cause["came_from"]]
    told += [f"   in contrast: {data(cause['passing'])}"] if cause["passing"] else []
    for one in cause["hypotheses"]:
        told.append(f"   {one['holds']}: {data(one['says'])}: {data(one['because'])} [{', '.join(one['evidence'])}]")
    return "\n".join(told)


def _entry(number: int, fix: Mapping[str, Any]) -> str:
    verdict = fix["verdict"]
    failing, passing = verdict["failing"], verdict["passing"]
    told = [f"{number}. {data(fix['title'])} — {words.clean(verdict['words'], 300)}"]
    if failing[1]:
        told.append(f"   failing {failing[0]} of {failing[1]} fixed, passing {passing[0]} of {passing[1]} same")
    told += [f"   {words.clean(note, 300)}" for note in verdict["notes"]]
    diff = [words.clean(line, 300) for line in fix["diff"].splitlines()]
    return "\n".join([*told, *(f"   {line}" for line in diff)])
