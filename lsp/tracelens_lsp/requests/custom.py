"""tracelens/runs, tracelens/heat, tracelens/overview and tracelens/flameGraph: for clients that paint more than the
protocol knows. Each answer is plain JSON; `tracelens/changed` tells when to ask again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tracelens.answers import choose, flame, headline, words
from tracelens.answers import heat as heating
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_lsp import convert
from tracelens_lsp.session import Session

CHANGED = "tracelens/changed"
_LISTED = 25
_ALWAYS_LISTED = 5
"""Of the hottest units, however little time they took."""
_MOST_PROFILES = 2_000


async def runs(session: Session, params: Any) -> dict[str, Any]:
    """{"choice", "told", "choices": [{"id", "title", "detail"}], "problem"}: the runs shown, and all."""
    workspace = next(iter(session.workspaces.known()), None)
    index = workspace.snapshot() if workspace else None
    if workspace is None or index is None:
        return {"choice": "", "told": "not indexed", "choices": [], "problem": workspace.problem if workspace else ""}
    offered = [asdict(one) for one in choose.choices(index.index)]
    return {"choice": workspace.choice, "told": choose.told(index), "choices": offered, "problem": ""}


async def heat(session: Session, params: Any) -> list[dict[str, Any]]:
    """[{"first_line", "last_line", "step", "failed", "stale", "told"}], lines 0-based."""
    uri = str(getattr(getattr(params, "textDocument", None), "uri", ""))
    asked = session.ask(uri)
    return [asdict(one) for one in heating.heat(asked.document, asked.index)] if asked else []


async def overview(session: Session, params: Any) -> dict[str, Any]:
    """{"hot": […], "failures": […], "runs": […]}: what a side bar lists, each with a place to go to."""
    index = _first(session)
    if index is None:
        return {"hot": [], "failures": [], "runs": []}
    hot = [
        {
            "id": f"u:{profile.unit.id:x}",
            "title": words.clean(words.near(profile.unit.qualname, profile.unit.module), 200),
            "detail": " · ".join(headline.parts(profile)),
            "step": heating.step_of(profile),
            **_place(index, profile.unit.path, profile.unit.def_line),
        }
        for place, profile in enumerate(index.index.hot(index.runs, _LISTED))
        if place < _ALWAYS_LISTED or heating.step_of(profile)
    ]
    failures = [
        {
            "id": failure.id,
            "title": words.type_name(failure.type),
            "detail": f"{words.times(failure.n)} in {words.clean(failure.unit.name, 100)}: "
            + words.first_line(failure.message),
            **_place(index, failure.unit.path, failure.line or failure.unit.def_line),
        }
        for failure in index.index.failures(index.runs)
        if failure.origin
    ][:_LISTED]
    return {"hot": hot, "failures": failures, "runs": [asdict(one) for one in choose.choices(index.index)]}


async def flame_graph(session: Session, params: Any) -> list[dict[str, Any]]:
    """[{"name", "depth", "start", "width", "told", "uri", "line"}]: shares of the whole, 0…1."""
    index = _first(session)
    if index is None:
        return []
    profiles = index.index.hot(index.runs, _MOST_PROFILES)
    return [
        {
            "name": words.clean(words.near(bar.unit.qualname, bar.unit.module), 200),
            "depth": bar.depth,
            "start": bar.start,
            "width": bar.width,
            "told": f"{words.duration(bar.nanoseconds)} · "
            + words.counted(bar.calls, "call", "estimated" if bar.estimated else "exact"),
            **_place(index, bar.unit.path, bar.unit.def_line),
        }
        for bar in flame.bars(index, profiles)
    ]


def _first(session: Session) -> IndexSnapshot | None:
    workspace = next(iter(session.workspaces.known()), None)
    return workspace.snapshot() if workspace else None


def _place(index: IndexSnapshot, path: str, line: int) -> dict[str, Any]:
    return {"uri": convert.uri_of(index.root / path), "line": max(line - 1, 0)}
