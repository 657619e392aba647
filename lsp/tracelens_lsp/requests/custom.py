"""tracelens/runs, tracelens/heat, tracelens/overview and tracelens/flameGraph: for clients that paint more than the
protocol knows. Each answer is plain JSON; `tracelens/changed` tells when to ask again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tracelens.answers import choose, flame, headline, words
from tracelens.answers import heat as heating
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store.answers import Profile
from tracelens_lsp import uris
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session

_LISTED = 25
_ALWAYS_LISTED = 5
"""Of the hottest units, however little time they took."""
_MOST_PROFILES = 2_000


async def runs(session: Session, params: Any) -> dict[str, Any]:
    """{"choice", "told", "choices": [{"id", "title", "detail"}], "problem"}: the runs shown, and all."""
    workspaces = session.workspaces.known()
    workspace = next((one for one in workspaces if one.snapshot()), next(iter(workspaces), None))
    index = workspace.snapshot() if workspace else None
    if workspace is None or index is None:
        return {"choice": "", "told": "not indexed", "choices": [], "problem": workspace.problem if workspace else ""}
    offered = [asdict(one) for one in choose.choices(index.index)]
    return {"choice": workspace.choice, "told": choose.told(index), "choices": offered, "problem": ""}


async def heat(session: Session, params: lsp.DocumentParams) -> list[dict[str, Any]]:
    """[{"first_line", "last_line", "step", "failed", "stale", "told"}], lines 0-based."""
    asked = session.ask(params.text_document.uri)
    return [asdict(one) for one in heating.heat(asked.document, asked.index)] if asked else []


async def overview(session: Session, params: Any) -> dict[str, Any]:
    """{"hot": […], "failures": […], "runs": […]}: what a side bar lists, each with a place to go to; of several folders
    one after the other."""
    indexes = _indexed(session)
    hot = [one for index in indexes for one in _hot(index)]
    failures = [one for index in indexes for one in _failures(index)]
    # Tests are chosen from a list that can be searched; here they would be most of what there is.
    chosen = choose.choices(indexes[0].index) if indexes else []
    runs = [asdict(one) for one in chosen if not one.id.startswith("test:")]
    return {"hot": hot, "failures": failures, "runs": runs}


def _hot(index: IndexSnapshot) -> list[dict[str, Any]]:
    return [
        {
            "id": f"u:{profile.unit.id:x}",
            "title": words.clean(words.near(profile.unit.qualname, profile.unit.module), 200),
            # A side bar is narrow: what the list is ordered by comes first.
            "detail": " · ".join(part for part in (_own(profile), *headline.parts(profile)) if part),
            "step": heating.step_of(profile),
            **_place(index, profile.unit.path, profile.unit.def_line),
        }
        for place, profile in enumerate(index.index.hot(index.runs, _LISTED))
        if place < _ALWAYS_LISTED or heating.step_of(profile)
    ]


def _failures(index: IndexSnapshot) -> list[dict[str, Any]]:
    return [
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


async def flame_graph(session: Session, params: Any) -> list[dict[str, Any]]:
    """[{"name", "depth", "start", "width", "told", "uri", "line"}]: shares of the whole, 0…1."""
    index = next(iter(_indexed(session)), None)
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


def _own(profile: Profile) -> str:
    return f"{words.share(profile.self_share, profile.share_counting)} self" if profile.self_share else ""


def _indexed(session: Session) -> list[IndexSnapshot]:
    """Of the folders that have an index, the first one first."""
    return [index for workspace in session.workspaces.known() if (index := workspace.snapshot())]


def _place(index: IndexSnapshot, path: str, line: int) -> dict[str, Any]:
    return {"uri": uris.uri_of(index.root / path), "line": max(line - 1, 0)}
